"""How the report looks: light, dark, narrow, printed. Colours are those of the data space's pages."""

CSS = """
:root{color-scheme:light dark;--ground:#f3f6f7;--paper:#fff;--ink:#16232a;--ink-2:#4a5c65;--line:#dfe7ea;
--spring:#0a6c7e;--spring-soft:#e1f2f4;--good:#1a6a3a;--good-soft:#e4f4ea;--warn:#9a4100;--warn-soft:#feeee1;
--bad:#ad231c;--bad-soft:#fdebea;--quiet:#4a5c65;--quiet-soft:#edf1f3;
--mono:"Cascadia Mono","SF Mono",Menlo,Consolas,"DejaVu Sans Mono","Noto Sans Mono CJK SC",monospace}
@media screen and (prefers-color-scheme:dark){:root{DARK}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.65 "PingFang SC","Hiragino Sans GB",
"Microsoft YaHei UI","Microsoft YaHei","Noto Sans CJK SC","Source Han Sans SC","WenQuanYi Micro Hei",system-ui,
sans-serif;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
main{max-width:52rem;margin:2.5rem auto;padding:0 1.25rem 2rem}
header{border-top:4px solid var(--spring);padding-top:1.1rem;margin-bottom:1.5rem}
h1{font-size:1.6rem;line-height:1.3;margin:0;letter-spacing:.02em}
h2{font-size:1.15rem;line-height:1.4;margin:0 0 .9rem}
h1 .en,h2 .en{margin-top:.1rem;font-weight:400}
p{margin:0 0 .8rem}
.en{display:block;color:var(--ink-2);font-size:.86em;line-height:1.5}
.about{color:var(--ink-2);margin:.7rem 0 0;font-size:.92rem}
section{background:var(--paper);border:1px solid var(--line);border-radius:10px;padding:1.4rem 1.5rem;margin:0 0 1.1rem}
section>:last-child{margin-bottom:0}
.verdict{display:grid;grid-template-columns:auto 1fr;gap:1.4rem;align-items:start;border-width:1px 1px 1px 6px;
border-color:var(--tone);background:var(--tone-soft)}
.verdict svg{width:4.5rem;height:4.5rem;color:var(--tone);display:block}
.verdict h2{font-size:2rem;line-height:1.25;color:var(--tone);margin:0 0 .5rem}
.verdict h2 .en{font-size:1rem;color:var(--tone);font-weight:600}
.verdict .en{color:var(--ink)}
.verdict div>:last-child{margin-bottom:0}
.whole{--tone:var(--good);--tone-soft:var(--good-soft)}
.broken{--tone:var(--bad);--tone-soft:var(--bad-soft)}
.contradicted{--tone:var(--warn);--tone-soft:var(--warn-soft)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:1px;background:var(--line);padding:0;
overflow:hidden}
.figures div{background:var(--paper);padding:1rem 1.2rem}
.figures b{display:block;font-size:1.2rem;line-height:1.35;font-weight:600}
.figures>div>span{color:var(--ink-2);font-size:.88rem;display:block;line-height:1.45}
.figures .en{font-size:.92em}
ul,ol{margin:0 0 .8rem;padding:0;list-style:none}
ol{counter-reset:step}
li{position:relative;padding:0 0 .75rem 2.3rem}
li:last-child{padding-bottom:0}
ol>li{counter-increment:step}
ol>li::before{content:counter(step);position:absolute;left:0;top:.05rem;width:1.55rem;height:1.55rem;border-radius:50%;
background:var(--spring-soft);color:var(--spring);text-align:center;font-size:.85rem;line-height:1.55rem;font-weight:600}
.mark{position:absolute;left:0;top:.05rem;width:1.55rem;height:1.55rem;border-radius:50%;text-align:center;
font-size:.9rem;line-height:1.55rem;font-weight:700}
.done>.mark{background:var(--good-soft);color:var(--good)}
.failed>.mark{background:var(--bad-soft);color:var(--bad)}
.open>.mark{background:var(--quiet-soft);color:var(--quiet)}
.open{color:var(--ink-2)}
.note>.mark{background:var(--warn-soft);color:var(--warn)}
.state{font-size:.86rem;font-weight:600;white-space:nowrap}
.done .state{color:var(--good)}.failed .state{color:var(--bad)}
.plain li{padding-left:1.3rem}
.plain li::before{content:"";position:absolute;left:.2rem;top:.68rem;width:.4rem;height:.4rem;border-radius:50%;
background:var(--spring)}
.days{margin:0 0 1.6rem}
.days svg{display:block;width:100%;height:9rem;border-bottom:1px solid var(--ink-2);
border-top:1px solid var(--line)}
.days rect{fill:var(--spring)}
.top,.axis,figcaption{color:var(--ink-2);font-size:.82rem}
.axis{display:flex;justify-content:space-between}
figcaption .en{display:inline;margin-left:.5rem;font-size:1em}
.acts{display:grid;grid-template-columns:minmax(8rem,17rem) auto 1fr;gap:.45rem .9rem;align-items:center;margin:0;
font-size:.95rem}
.acts dt,.acts dd{margin:0}
.acts dt .en{display:inline;margin-left:.4rem}
.acts .bar{height:.7rem;background:var(--spring-soft);border-radius:3px}
.acts .bar i{display:block;height:100%;min-width:2px;background:var(--spring);border-radius:3px}
.acts .count{text-align:right}
h3{font-size:1rem;margin:1.3rem 0 .7rem}
h3 .en{display:inline;margin-left:.5rem;font-weight:400}
table{border-collapse:collapse;width:100%;font-size:.95rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .8rem .5rem 0;border-bottom:1px solid var(--line)}
th{font-weight:600;color:var(--ink-2);font-size:.86rem}
th .en{display:inline;margin-left:.3rem}
tr:last-child td{border-bottom:0}
code{font:.86em/1.5 var(--mono);overflow-wrap:anywhere}
.appendix dl{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr;gap:.5rem 1rem;margin:0;font-size:.9rem}
.appendix dt{color:var(--ink-2)}
.appendix dt .en{font-size:.9em}
.appendix dd{margin:0}
footer{color:var(--ink-2);font-size:.86rem;margin-top:1.4rem}
@media (max-width:34rem){main{margin:1rem auto;padding:0 .75rem 1rem}section{padding:1.1rem 1rem}
.verdict{grid-template-columns:1fr;gap:.8rem}.verdict svg{width:3.4rem;height:3.4rem}.verdict h2{font-size:1.6rem}
.acts{grid-template-columns:1fr auto}.acts .bar{grid-column:1/-1;margin-bottom:.4rem}
.appendix dl{grid-template-columns:1fr;gap:.1rem}.appendix dd{margin-bottom:.7rem}
.figures{grid-template-columns:1fr 1fr}.figures div{padding:.8rem 1rem}}
@media print{@page{margin:16mm}:root{color-scheme:light}body{background:#fff;font-size:10.5pt}main{margin:0;padding:0;
max-width:none}section,.figures div,li,tr,figure{break-inside:avoid}section{padding:4mm 5mm;margin-bottom:4mm}
.appendix,.content{break-inside:auto}h2,h3{break-after:avoid}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
""".replace(
    "DARK",
    "--ground:#0d1417;--paper:#151f23;--ink:#e5eef0;--ink-2:#a5b6bd;--line:#25343a;"
    "--spring:#5ccada;--spring-soft:#12333a;--good:#82d69e;--good-soft:#132f1f;--warn:#f7b685;--warn-soft:#3b2413;"
    "--bad:#ffa59d;--bad-soft:#3d1b19;--quiet:#a5b6bd;--quiet-soft:#1f2b30",
)
