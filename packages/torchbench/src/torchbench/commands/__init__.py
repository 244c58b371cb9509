"""The commands of `torchbench`, a file each."""
