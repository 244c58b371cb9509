import copy
import hashlib

import pytest
import torch
import torchvision

from torchbench.model_facts import count_macs, describe_model, digest_of_weights


@pytest.fixture(scope="module")
def resnet18():
    torch.manual_seed(0)
    return torchvision.models.resnet18().eval()


def macs_by_hand(model, image):
    """Convolutions and linear layers from their shapes alone: output places x kernel x channels in one group."""
    total = 0

    def count(module, _, output):
        nonlocal total
        if isinstance(module, torch.nn.Conv2d):
            kernel = module.kernel_size[0] * module.kernel_size[1] * module.in_channels // module.groups
            total += output.numel() * kernel
        if isinstance(module, torch.nn.Linear):
            total += output.numel() * module.in_features

    hooks = [module.register_forward_hook(count) for module in model.modules()]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return total


def test_parameters_and_operations_of_resnet18_are_the_published_ones(resnet18):
    facts = describe_model(resnet18, torch.zeros(1, 3, 224, 224))
    assert facts.parameters == 11_689_512  # torchvision's table of ResNet18_Weights
    assert facts.macs == macs_by_hand(resnet18, torch.zeros(1, 3, 224, 224)) == 1_814_073_344
    assert facts.dtype == "float32"
    assert facts.macs_counter.startswith("torch.utils.flop_counter")


def test_attention_is_counted_also_where_torch_would_fuse_it():
    layer = torch.nn.TransformerEncoderLayer(64, 4, 128, batch_first=True).eval()
    tokens, width, hidden = 10, 64, 128
    projections = tokens * (3 * width * width + width * width + 2 * width * hidden)
    attention = 2 * tokens * tokens * width
    assert count_macs(layer, torch.zeros(1, tokens, width)) == (projections + attention, None)


def test_counting_leaves_no_trace_in_the_model(linear_model):
    model = linear_model().train()
    before = copy.deepcopy(model.state_dict())
    count_macs(model, torch.zeros(1, 3, 8, 8))
    assert model.seen == []
    assert model.training
    assert model.matrix.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_model_that_cannot_run_on_one_image_says_why():
    class Pairs(torch.nn.Module):
        def forward(self, images):
            raise ValueError("an even batch, please")

    assert count_macs(Pairs(), torch.zeros(1, 3, 8, 8)) == (
        None,
        "could not be counted: ValueError: an even batch, please",
    )


def test_nothing_is_claimed_about_an_object_that_is_no_module():
    assert describe_model(lambda images: images, None).to_dict() == {
        "macs_note": "not an nn.Module, so nothing was counted"
    }


def test_the_digest_is_over_names_dtypes_shapes_and_bytes():
    model = torch.nn.Linear(2, 1)
    model.register_buffer("steps", torch.tensor(3))
    expected = hashlib.sha256()
    for name, dtype, shape, tensor in [
        ("bias", "torch.float32", "(1,)", model.bias),
        ("steps", "torch.int64", "()", model.steps),
        ("weight", "torch.float32", "(1, 2)", model.weight),
    ]:
        expected.update(f"{name}\0{dtype}\0{shape}\0".encode() + tensor.detach().numpy().tobytes())
    assert digest_of_weights(model) == expected.hexdigest()


def test_the_digest_changes_with_one_bit_of_one_buffer(resnet18):
    changed = copy.deepcopy(resnet18)
    before = digest_of_weights(changed)
    assert before == digest_of_weights(resnet18)
    changed.bn1.running_mean[0] = torch.nextafter(changed.bn1.running_mean[0], torch.tensor(1.0))
    assert digest_of_weights(changed) != before


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_scripted_and_bfloat16_models_have_facts(resnet18):
    scripted = torch.jit.trace(resnet18, torch.zeros(1, 3, 64, 64))
    assert describe_model(scripted, torch.zeros(1, 3, 64, 64)).parameters == 11_689_512
    half = copy.deepcopy(resnet18).to(torch.bfloat16)
    assert describe_model(half, torch.zeros(1, 3, 64, 64, dtype=torch.bfloat16)).dtype == "bfloat16"
