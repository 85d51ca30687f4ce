"""Both suppliers' APIs over real HTTP, with a fault desk: a program of its own, imported by nothing."""
