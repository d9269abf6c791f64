"""The portal: pages that combine the rooms. Pages read, and call one service each; they decide nothing."""
