"""The networks as data: variants, blocks, and compound scaling."""
