import pytest
import torch

from torchbench.errors import ArgumentError, OutOfMemory, OutputError
from torchbench.predictor import Predictor, evaluating
from torchbench.utils import default_data_to_device

CPU = torch.device("cpu")


class Limited(torch.nn.Module):
    """Runs out of memory above `fits` images, as an accelerator or the processor's allocator says it."""

    def __init__(self, fits, error):
        super().__init__()
        self.fits, self.error, self.seen = fits, error, []

    def forward(self, images):
        self.seen.append(len(images))
        if len(images) > self.fits:
            raise self.error
        return images.flatten(1)[:, :10]


def predictor(model, **changes):
    said = []
    fields = {"device": CPU, "classes": 10, "send_data": default_data_to_device, "tell": said.append} | changes
    return Predictor(model, **fields), said


IMAGES = torch.arange(8 * 3 * 4 * 4, dtype=torch.float32).reshape(8, 3, 4, 4)
TARGETS = torch.arange(8)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 9 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch_and_goes_on(error):
    model = Limited(2, error)
    predict, said = predictor(model)
    assert torch.equal(predict(IMAGES, TARGETS), IMAGES.flatten(1)[:, :10])
    assert model.seen == [8, 4, 2, 2, 2, 2]
    assert predict.part == 2
    assert len(said) == 2
    assert "Out of memory with 8 images at once; going on with 4" in said[0]


def test_the_smaller_part_is_kept_for_the_next_batches():
    model = Limited(4, MemoryError())
    predict, _ = predictor(model)
    predict(IMAGES, TARGETS)
    model.seen.clear()
    predict(IMAGES[:7], TARGETS[:7])
    assert model.seen == [4, 3]


def test_a_model_that_does_not_fit_with_one_image_ends_with_its_reason():
    predict, _ = predictor(Limited(0, torch.OutOfMemoryError("CUDA out of memory.")))
    with pytest.raises(OutOfMemory, match=r"a single image \(CUDA out of memory\.\)"):
        predict(IMAGES, TARGETS)


class InPlace(Limited):
    """Takes the mean off its very input before it runs out of memory."""

    def forward(self, images):
        images.sub_(100)
        return super().forward(images)


def test_a_batch_that_the_model_changed_is_not_given_to_it_again():
    model = InPlace(2, MemoryError("out of memory"))
    predict, said = predictor(model)
    with pytest.raises(OutOfMemory, match=r"8 images .* changed .* pass batch_size=4"):
        predict(IMAGES.clone(), TARGETS)
    assert (model.seen, said) == ([8], [])


def test_a_model_that_changes_a_copy_of_its_input_is_tried_again():
    predict, _ = predictor(InPlace(2, MemoryError()), send_data=lambda input, target, device: (input.clone(), target))
    assert torch.equal(predict(IMAGES.clone(), TARGETS), IMAGES.flatten(1)[:, :10] - 100)


def test_parts_that_are_done_are_not_asked_for_again():
    class Fragmented(InPlace):
        def forward(self, images):
            if len(self.seen) == 1:
                self.seen.append(len(images))
                raise MemoryError
            return super().forward(images)

    model = Fragmented(4, MemoryError())
    predict, _ = predictor(model)
    predict.part = 4
    assert torch.equal(predict(IMAGES.clone(), TARGETS), IMAGES.flatten(1)[:, :10] - 100)
    assert model.seen == [4, 4, 2, 2]


def test_a_batch_whose_changes_nobody_counts_is_not_tried_again():
    predict, _ = predictor(Limited(2, MemoryError()))
    with torch.inference_mode():
        images = IMAGES.clone()
        assert predict(images[:2], TARGETS[:2]).shape == (2, 10)
        with pytest.raises(OutOfMemory, match="inference_mode"):
            predict(images, TARGETS)


def test_another_error_of_the_model_is_left_as_it_is():
    predict, _ = predictor(Limited(2, RuntimeError("shapes do not match")))
    with pytest.raises(RuntimeError, match="^shapes do not match$"):
        predict(IMAGES, TARGETS)


def test_the_hooks_are_called_as_documented():
    calls = []

    def send(input, target, device):
        calls.append(("send", tuple(input.shape), target.tolist(), device))
        return input.half(), target.to(torch.float16)

    def transform(output, target, model):
        calls.append(("transform", output.dtype, target.dtype, model))
        return output.float() * 2

    model = Limited(8, MemoryError())
    predict, _ = predictor(model, send_data=send, transform_output=transform)
    expected = IMAGES.flatten(1)[:, :10].half().float() * 2
    assert torch.equal(predict(IMAGES, TARGETS), expected)
    assert calls == [
        ("send", (8, 3, 4, 4), TARGETS.tolist(), CPU),
        ("transform", torch.float16, torch.float16, model),
    ]


def test_an_output_transform_of_two_arguments_works():
    predict, _ = predictor(lambda images: (images.flatten(1)[:, :10], "auxiliary"), transform_output=lambda o, _: o[0])
    assert torch.equal(predict(IMAGES, TARGETS), IMAGES.flatten(1)[:, :10])


def test_an_output_transform_that_returns_the_targets_too_is_named():
    predict, _ = predictor(torch.nn.Flatten(), transform_output=lambda output, target: (output[:, :10], target))
    with pytest.raises(OutputError, match="expected model_output_transform to return .* let it return the predictions"):
        predict(IMAGES, TARGETS)


def test_an_object_with_only_a_forward_method_is_asked_through_it():
    class Model:
        def forward(self, images):
            return images.flatten(1)[:, :10]

    predict, _ = predictor(Model())
    assert predict(IMAGES, TARGETS).shape == (8, 10)


def test_send_data_to_device_that_forgets_to_return_is_told_so():
    predict, _ = predictor(torch.nn.Flatten(), send_data=lambda input, target, device: None)
    with pytest.raises(OutputError, match="end it with `return input, target`"):
        predict(IMAGES, TARGETS)


def test_send_data_to_device_that_changes_targets_is_refused():
    predict, _ = predictor(torch.nn.Flatten(), send_data=lambda input, target, device: (input, target + 1))
    with pytest.raises(ArgumentError, match="target_transform"):
        predict(IMAGES, TARGETS)


def test_non_contiguous_outputs_are_fine():
    predict, _ = predictor(lambda images: images.flatten(1)[:, :10].T.contiguous().T)
    assert torch.equal(predict(IMAGES, TARGETS), IMAGES.flatten(1)[:, :10])


def test_evaluating_gives_every_module_its_own_training_flag_back_also_after_an_error():
    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Sequential(torch.nn.Dropout())).train()
    model[0].eval()
    flags = [module.training for module in model.modules()]
    assert len(set(flags)) == 2
    with pytest.raises(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        raise KeyError
    assert [module.training for module in model.modules()] == flags
    assert torch.is_grad_enabled()


def test_evaluating_leaves_an_object_without_modes_alone():
    with evaluating(object()):
        assert not torch.is_grad_enabled()
