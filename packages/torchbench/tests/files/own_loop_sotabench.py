import os
import sys

import torch
import torchvision
from sotabencheval.image_classification import ImageNetEvaluator
from sotabencheval.utils import is_server
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

if is_server():
    ROOT = './.data/vision/imagenet'
else:
    ROOT = sys.argv[1]

cuda = torch.cuda.is_available()
torch.manual_seed(0)

dataset = ImageFolder(os.path.join(ROOT, 'val'), Compose([
    Resize(64),
    CenterCrop(48),
    ToTensor(),
    Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
]))
loader = DataLoader(dataset, batch_size=8, shuffle=False, num_workers=2, pin_memory=cuda)

model = torchvision.models.mobilenet_v3_small()
if cuda:
    model = model.cuda()
model.eval()


def image_id(path):
    return path.split('/')[-1].replace('.JPEG', '')


evaluator = ImageNetEvaluator(model_name='MobileNet V3 small', paper_arxiv_id='1905.02244', root=ROOT)
evaluator.reset_time()
batches = 0

with torch.no_grad():
    for i, (images, targets) in enumerate(loader):
        if cuda:
            images = images.cuda()
        logits = model(images).cpu().numpy()
        names = [image_id(path) for path, _ in dataset.imgs[i * loader.batch_size:(i + 1) * loader.batch_size]]
        evaluator.add(dict(zip(names, list(logits))))
        batches += 1
        if evaluator.cache_exists:
            break

if not is_server():
    print('Top 1 so far: {:.4f}'.format(evaluator.get_results()['Top 1 Accuracy']))

evaluator.save()
print('batches', batches)
for name, value in evaluator.results.items():
    print(name, value)
for name, value in evaluator.speed_mem_metrics.items():
    print(name, value)
