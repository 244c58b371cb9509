"""Spellings of one model meet; different models do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sotabench.server.papers.spelling import architecture_of, arxiv_id, model_key


@pytest.mark.parametrize(
    "spellings",
    [
        ("ResNeXt-101-32x8d", "ResNeXt-101 32x8d", "resnext101_32x8d", "ResNeXt 101 (32\N{MULTIPLICATION SIGN}8d)"),
        ("ViT-L/16", "vit_l_16", "ViT L 16"),
        ("Inception ResNet V2", "inception_resnet_v2", "Inception-ResNet-v2"),
        ("MobileNetV2", "mobilenet_v2", "MobileNet V2"),
    ],
)
def test_spellings_of_one_model_meet(spellings):
    assert len({model_key(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("B1 1x", "B11x"), ("NFNet-F4+", "NFNet-F4"), ("ResNet-50", "ResNet-152"), ("32x8d", "32x8"), ("V2 1.0", "V2 10")],
)
def test_different_models_stay_apart(one, other):
    assert model_key(one) != model_key(other)


@given(st.text(min_size=1, max_size=300).filter(str.strip))
def test_every_name_has_a_key_that_is_its_own_key_and_fits_the_column(name):
    key = model_key(name)
    assert model_key(key) == key
    assert 1 <= len(key) <= 300


@pytest.mark.parametrize(
    ("model", "catalogue", "architecture"),
    [
        ("resnext101_32x8d IMAGENET1K_V1", "torchvision", "resnext101_32x8d"),
        ("resnext101_32x8d.tv_in1k", "timm", "resnext101_32x8d"),
        ("resnext101-32x8d_8xb32_in1k", "mmpretrain", "resnext101-32x8d"),
        ("ResNeXt-101 64x4", "paper", "ResNeXt-101 64x4"),
    ],
)
def test_catalogues_names_begin_with_the_architecture(model, catalogue, architecture):
    assert architecture_of(model, catalogue) == architecture


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1611.05431", "1611.05431"),
        ("arXiv:1611.05431v2", "1611.05431"),
        ("0704.0001", "0704.0001"),
        ("https://arxiv.org/abs/1611.05431v2", "1611.05431"),
        ("https://arxiv.org/pdf/1611.05431v2.pdf", "1611.05431"),
        ("https://arxiv.org/pdf/1611.05431.pdf", "1611.05431"),
        ("cs/0112017", "cs/0112017"),
        ("cs/0112017v1", "cs/0112017"),
        ("hep-th/9901001", "hep-th/9901001"),
        ("math.GT/0309136", "math/0309136"),
        ("arXiv:math.GT/0309136v3", "math/0309136"),
        ("https://arxiv.org/abs/math/0309136v1", "math/0309136"),
        ("http://arxiv.org/pdf/cond-mat/0112017v1.pdf", "cond-mat/0112017"),
        ("", ""),
        ("0112017", ""),
        ("https://arxiv.org/abs/0112017", ""),
        ("https://example.org/files/0112017", ""),
        ("cs/01120171", ""),
        ("1611.054312", ""),
        ("10.1109/1611.05431.7", ""),
        ("aggregated-residual-transformations", ""),
    ],
)
def test_id_at_arxiv_is_read_however_it_is_written(text, expected):
    assert arxiv_id(text) == expected
