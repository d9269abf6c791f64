// A verifier by other hands: the Go project's own golang.org/x/mod/sumdb reads what we publish.
//
//	verify FOLDER VKEY [OLDER]   the exported folder, and that the checkpoint in the file OLDER is an earlier state of it
//	proofs                       inclusion and consistency proofs as JSON on standard input
//
// Prints OK and what it counted, exit 0; or FAIL and why, exit 1. Only what these packages lack is written here: the
// lines of a checkpoint, the names of C2SP tiles, the lengths in an entry bundle, the links of the chain.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height     = 8    // of a tile: 256 hashes
	mostProofs = 2000 // inclusion proofs for one tree: all of a small one, spread over a large one
)

func main() {
	said, err := run(os.Args[1:])
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	fmt.Println("OK", said)
}

func run(args []string) (string, error) {
	switch {
	case len(args) == 3 && args[0] == "verify":
		return verify(args[1], args[2], "")
	case len(args) == 4 && args[0] == "verify":
		return verify(args[1], args[2], args[3])
	case len(args) == 1 && args[0] == "proofs":
		return proofs()
	}
	return "", errors.New("usage: verify FOLDER VKEY [OLDER] | proofs")
}

// verify checks the checkpoint's signature, every entry, every link, every tile, the root, and proofs over them.
func verify(folder, vkey, older string) (string, error) {
	tree, err := openCheckpoint(filepath.Join(folder, "checkpoint"), vkey)
	if err != nil {
		return "", err
	}
	own, err := readEntries(folder, tree.N)
	if err != nil {
		return "", err
	}
	root, err := tlog.TreeHash(tree.N, own)
	if err != nil {
		return "", err
	}
	if root != tree.Hash {
		return "", errors.New("root")
	}
	published := tlog.TileHashReader(tree, tiles(folder))
	if err := compareTiles(folder, tree.N, own); err != nil {
		return "", err
	}
	for n := int64(0); n < tree.N; n += tree.N/mostProofs + 1 {
		if err := checkEntry(n, tree, own, published); err != nil {
			return "", fmt.Errorf("entry %d: %w", n, err)
		}
	}
	if older != "" {
		if err := checkOlder(older, vkey, tree, published); err != nil {
			return "", fmt.Errorf("older checkpoint: %w", err)
		}
	}
	return fmt.Sprintf("entries=%d", tree.N), nil
}

// openCheckpoint returns the tree that a signed checkpoint states.
func openCheckpoint(path, vkey string) (tlog.Tree, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(raw, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tlog.Tree{}, errors.New("not a checkpoint of this log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, err
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// hashes holds stored hashes by their index.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, 0, len(indexes))
	for _, at := range indexes {
		if at >= int64(len(h)) {
			return nil, fmt.Errorf("no hash %d", at)
		}
		found = append(found, h[at])
	}
	return found, nil
}

// readEntries reads every bundle, checks the chain and returns the hashes of the tree over the entries.
func readEntries(folder string, size int64) (hashes, error) {
	var own hashes
	prev := strings.Repeat("0", 64)
	for n := int64(0); n < size; {
		width := min(size-n, 1<<height)
		bundle, err := os.ReadFile(filepath.Join(folder, "tile", tilePath("entries", n>>height, width)))
		if err != nil {
			return nil, err
		}
		for end := n + width; n < end; n++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return nil, fmt.Errorf("bundle ends before entry %d", n)
			}
			entry := bundle[2 : 2+binary.BigEndian.Uint16(bundle)]
			bundle = bundle[2+len(entry):]
			if err := checkLink(entry, n, prev); err != nil {
				return nil, fmt.Errorf("chain at %d: %w", n, err)
			}
			more, err := tlog.StoredHashes(n, entry, own)
			if err != nil {
				return nil, err
			}
			own = append(own, more...)
			leaf := tlog.RecordHash(entry)
			prev = hex.EncodeToString(leaf[:])
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("bundle goes on after entry %d", n-1)
		}
	}
	return own, nil
}

func checkLink(entry []byte, n int64, prev string) error {
	var link struct {
		Prev string `json:"_prev"`
		Seq  int64  `json:"_seq"`
	}
	link.Seq = -1
	if err := json.Unmarshal(entry, &link); err != nil {
		return err
	}
	if link.Seq != n || link.Prev != prev {
		return fmt.Errorf("it says %d after %s", link.Seq, link.Prev)
	}
	return nil
}

// compareTiles holds every tile of the published tree against the one that follows from the entries.
func compareTiles(folder string, size int64, own hashes) error {
	for _, tile := range tlog.NewTiles(height, 0, size) {
		if width := min(size>>(height*tile.L)-tile.N<<height, 1<<height); int64(tile.W) != width {
			continue // older editions list the partial tiles of every size on the way, too
		}
		expected, err := tlog.ReadTileData(tile, own)
		if err != nil {
			return err
		}
		path := tilePath(strconv.Itoa(tile.L), tile.N, int64(tile.W))
		stored, err := os.ReadFile(filepath.Join(folder, "tile", path))
		if err != nil {
			return err
		}
		if !bytes.Equal(stored, expected) {
			return fmt.Errorf("tile %s", path)
		}
	}
	return nil
}

// checkEntry proves one entry from the published tiles, which TileHashReader authenticates against the root.
func checkEntry(n int64, tree tlog.Tree, own hashes, published tlog.HashReader) error {
	leaf := own[tlog.StoredHashIndex(0, n)]
	read, err := published.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
	if err != nil {
		return err
	}
	if read[0] != leaf {
		return errors.New("another leaf hash in the tile")
	}
	proof, err := tlog.ProveRecord(tree.N, n, published)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, n, leaf)
}

func checkOlder(path, vkey string, tree tlog.Tree, published tlog.HashReader) error {
	older, err := openCheckpoint(path, vkey)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveTree(tree.N, older.N, published)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash)
}

// tiles reads tiles as C2SP names them.
type tiles string

func (folder tiles) Height() int { return height }

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		path := tilePath(strconv.Itoa(tile.L), tile.N, int64(tile.W))
		raw, err := os.ReadFile(filepath.Join(string(folder), "tile", path))
		if err != nil {
			return nil, err
		}
		found = append(found, raw)
	}
	return found, nil
}

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// tilePath is <level>/<index>[.p/<width>], the index in groups of three digits.
func tilePath(level string, index, width int64) string {
	name := fmt.Sprintf("%03d", index%1000)
	for index /= 1000; index > 0; index /= 1000 {
		name = fmt.Sprintf("x%03d/%s", index%1000, name)
	}
	if width < 1<<height {
		name += fmt.Sprintf(".p/%d", width)
	}
	return level + "/" + name
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}

// One proof: of inclusion of Leaf at Index, or of consistency where Old is not zero.
type claim struct {
	Index   int64    `json:"index"`
	Leaf    string   `json:"leaf"`
	Old     int64    `json:"old"`
	OldRoot string   `json:"old_root"`
	Size    int64    `json:"size"`
	Root    string   `json:"root"`
	Proof   []string `json:"proof"`
}

// proofs checks every claim and says which do not hold.
func proofs() (string, error) {
	var claims []claim
	if err := json.NewDecoder(os.Stdin).Decode(&claims); err != nil {
		return "", err
	}
	refused := []string{}
	for n, one := range claims {
		if one.check() != nil {
			refused = append(refused, strconv.Itoa(n))
		}
	}
	return fmt.Sprintf("proofs=%d refused=%s", len(claims), strings.Join(refused, ",")), nil
}

func (c claim) check() error {
	root, err := parse(c.Root)
	if err != nil {
		return err
	}
	var path []tlog.Hash
	for _, text := range c.Proof {
		one, err := parse(text)
		if err != nil {
			return err
		}
		path = append(path, one)
	}
	if c.Old != 0 {
		old, err := parse(c.OldRoot)
		if err != nil {
			return err
		}
		return tlog.CheckTree(path, c.Size, root, c.Old, old)
	}
	leaf, err := parse(c.Leaf)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(path, c.Size, root, c.Index, leaf)
}

func parse(text string) (tlog.Hash, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Hash{}, errors.New("not a hash")
	}
	return tlog.Hash(*(*[tlog.HashSize]byte)(raw)), nil
}
