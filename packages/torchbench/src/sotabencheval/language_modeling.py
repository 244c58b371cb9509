"""Language modelling by the name of the predecessor's first releases; this library has it by neither."""

from torchbench.elsewhere import not_here

raise not_here(__name__)
