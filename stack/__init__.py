"""The real servers on a laptop or in CI, without a container engine. Start reading at README.md."""
