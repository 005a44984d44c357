"""The PyPI package lpips on pairs of images, with given weights of VGG16; started by benchmark/perceptual.py.

    python pytorch_lpips.py --problem FILE.npz

Needs torch, numpy, scipy, tqdm and lpips. lpips imports torchvision, of which it needs one thing, the layers of VGG16;
where torchvision can't be imported (its wheels on PyPI don't load beside a CPU build of PyTorch) they are built here.
The weights come from the problem either way, and the linear heads are the ones in lpips's wheel.

Prints one line of JSON: ``library``, ``torchvision``, ``distances`` of the pairs, and ``heads``, the largest difference
between its heads and the problem's.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import sys
import types

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as error:
    print(json.dumps({"missing": error.name}), flush=True)
    sys.exit(0)

# VGG16's features: 3x3 convolutions of so many features, and 2x2 maxima.
LAYERS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)


def vgg16(**_: object) -> types.SimpleNamespace:
    """torchvision's function as far as lpips uses it."""
    layers: list[nn.Module] = []
    before = 3
    for width in LAYERS:
        if width:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
            before = width
        else:
            layers.append(nn.MaxPool2d(2, 2))
    return types.SimpleNamespace(features=nn.Sequential(*layers))


def provide_torchvision() -> str:
    """Make `import torchvision` work, and say how."""
    try:
        import torchvision

        return str(torchvision.__version__)
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        stand_in = types.ModuleType("torchvision")
        stand_in.models = types.ModuleType("torchvision.models")  # type: ignore[attr-defined]
        stand_in.models.vgg16 = vgg16  # type: ignore[attr-defined]
        sys.modules |= {"torchvision": stand_in, "torchvision.models": stand_in.models}
        return "a stand-in"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", required=True)
    problem = np.load(parser.parse_args().problem)
    torchvision = provide_torchvision()
    try:
        import lpips
    except ImportError as error:
        print(json.dumps({"missing": error.name}), flush=True)
        return
    metric = lpips.LPIPS(net="vgg", version="0.1", pnet_rand=True, verbose=False).eval()
    convolutions = [layer for layer in metric.net.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for i, layer in enumerate(convolutions):
            layer.weight.copy_(torch.from_numpy(problem[f"kernel_{i}"].transpose(3, 2, 0, 1).copy()))
            layer.bias.copy_(torch.from_numpy(problem[f"bias_{i}"]))
        distances = []
        for i in range(int(problem["pairs"])):
            pair = [torch.from_numpy(problem[f"{name}_{i}"]).permute(0, 3, 1, 2) for name in ("image", "truth")]
            distances.append(metric(*(x.expand(-1, 3, -1, -1) for x in pair), normalize=True).item())
    theirs = [lin.model[-1].weight.detach().numpy().ravel() for lin in metric.lins]
    heads = max(float(np.abs(head - problem[f"head_{i}"]).max()) for i, head in enumerate(theirs))
    about = {
        "library": f"lpips {importlib.metadata.version('lpips')}, PyTorch {torch.__version__}",
        "torchvision": torchvision,
        "distances": distances,
        "heads": heads,
    }
    print(json.dumps(about), flush=True)


if __name__ == "__main__":
    main()
