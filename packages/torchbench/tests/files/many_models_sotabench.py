import argparse
import gc
import os

import PIL
import torch
import torchvision.transforms.functional as F
from torchbench.image_classification import ImageNet
from torchbench.utils import AverageMeter, accuracy
from torchvision import transforms
from torchvision.datasets import ImageFolder

parser = argparse.ArgumentParser(description='Many models, each called another way')
parser.add_argument('--num_workers', type=int, default=8)
args = parser.parse_args()
normalize = transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
classes = [int(number) for number in os.environ['CLASSES'].split()]


class CentreSquare:
    def __init__(self, size):
        self.size = size
        self.resize = transforms.Resize((size, size), interpolation=PIL.Image.BICUBIC)

    def __call__(self, image):
        width, height = image.size
        side = float(self.size) / (self.size + 32) * min(width, height)
        left, top = (width - side) / 2., (height - side) / 2.
        return self.resize(image.crop((left, top, left + side, top + side)))


class ByTheShorterSide(transforms.Resize):
    def __init__(self, size, largest=False, **kwargs):
        super().__init__(size, **kwargs)
        self.largest = largest

    def __call__(self, image):
        width, height = image.size
        return F.resize(image, (self.size, int(self.size * width / height)), self.interpolation)

    def __repr__(self):
        return super().__repr__()[:-1] + ', largest={})'.format(self.largest)


def send_half(input, target, device, dtype=torch.float16, non_blocking: bool = True):
    input = input.to(device=device, dtype=dtype, non_blocking=non_blocking)
    if target is not None:
        target = target.to(device=device, dtype=dtype, non_blocking=non_blocking)
    return input, target


grown = transforms.transforms.Compose([transforms.Resize(int(32 / 0.875)), transforms.CenterCrop(32)])
grown.transforms.append(transforms.ToTensor())

CALLS = [
    dict(paper_model_name='A', paper_arxiv_id='2004.08955', batch_size=1045,
         input_transform=transforms.Compose([CentreSquare(32), transforms.ToTensor(), normalize])),
    dict(paper_model_name='B', paper_arxiv_id='1906.06423', paper_pwc_id='fixing-the-train-test-resolution',
         input_transform=transforms.Compose(
             [ByTheShorterSide(36), transforms.CenterCrop(32), transforms.ToTensor(), normalize])),
    dict(paper_model_name='C', paper_arxiv_id='2003.13630', input_transform=grown, num_workers=args.num_workers,
         pin_memory=True, paper_results={'Top 1 Accuracy': 0.813}, model_description='Weights of the authors'),
    dict(paper_model_name='D', paper_arxiv_id=None, data_root=('~/imagenet'), input_transform=transforms.Compose(
        [transforms.Resize(36, interpolation=3), transforms.CenterCrop(32), transforms.ToTensor(), normalize])),
    dict(paper_model_name='E', paper_arxiv_id='2003.13630', input_transform=grown, send_data_to_device=send_half),
    dict(model_description=None, data_root=os.environ.get('IMAGENET_DIR', './.data/vision/imagenet')),
]

for number, call in enumerate(CALLS):
    torch.manual_seed(number)
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(48, 1000))
    model[2].bias.data[classes] += 4  # some of the images are right then
    model.require_grad = False
    half = 'send_data_to_device' in call
    model = model.half() if half else model
    with torch.no_grad():
        result = ImageNet.benchmark(model=model, num_gpu=1, **call)

    # What the loop of 2019 would have counted.
    plain = ImageFolder('./.data/vision/imagenet/val', call.get('input_transform', ImageNet.input_transform))
    top1, top5 = AverageMeter(), AverageMeter()
    with torch.no_grad():
        for image, target in plain:
            image = image.half() if half else image
            prec1, prec5 = accuracy(model(image[None]), torch.tensor([classes[target]]), topk=(1, 5))
            top1.update(prec1.item(), 1)
            top5.update(prec5.item(), 1)
    print('plain', top1.avg, top5.avg)
    assert top5.avg > 0
    assert round(result.results['Top 1 Accuracy'] * 100, 6) == round(top1.avg, 6)
    assert round(result.results['Top 5 Accuracy'] * 100, 6) == round(top5.avg, 6)
    del model
    gc.collect()
    torch.cuda.empty_cache()
print('all', len(CALLS))
