#!/usr/bin/env python3
"""Writes the programs that the shipped prior is trained on, and those it is judged on.

    scripts/training_tasks.py cost_model/data

train.tasks   operator classes of the first list; no shape of the catalogue's presets, none of heldout.tasks
heldout.tasks operator classes and shapes that train.tasks does not have
Lines are flags of `autotune record --tasks`.
"""
import pathlib
import sys

TRAIN = []
HELDOUT = []


def task(where, op, constant="none", layout="", **shape):
    words = ["--op", op, "--shape", ",".join(f"{k}={v}" for k, v in shape.items())]
    if layout:
        words += ["--layout", layout]
    if constant is not None:
        words += ["--constant", constant]
    where.append(" ".join(words))


for m, n, k in [(48, 64, 96), (96, 96, 96), (160, 192, 128), (256, 256, 256), (320, 256, 512), (384, 640, 192), (64, 1024, 256),
                (509, 127, 301), (24, 768, 512), (700, 96, 400), (196, 256, 384), (784, 128, 160), (12, 1000, 900), (640, 640, 320)]:
    task(TRAIN, "matmul", m=m, n=n, k=k)
for m, n, k in [(96, 512, 320), (200, 200, 200), (400, 384, 256), (8, 1536, 512), (56, 56, 600), (576, 320, 288)]:
    task(TRAIN, "matmul", constant="B", m=m, n=n, k=k)
for m, n, k in [(64, 384, 256), (150, 300, 200), (16, 1024, 768), (256, 192, 320)]:
    task(TRAIN, "dense", constant="W", m=m, n=n, k=k)
for m, n, k in [(130, 520, 520), (448, 448, 448), (72, 2048, 128), (1000, 32, 200)]:
    task(TRAIN, "matmul", m=m, n=n, k=k)
task(TRAIN, "matmul", constant="A,B", m=160, n=240, k=400)
task(TRAIN, "matmul", m=250, n=250, k=1000)
for m, n, k in [(36, 400, 500), (180, 80, 640)]:
    task(TRAIN, "dense", constant="W", m=m, n=n, k=k)
for h, ci, co, k in [(17, 80, 112, 3), (46, 24, 48, 3), (23, 144, 48, 1), (13, 64, 256, 3)]:
    task(TRAIN, "conv2d", n=1, h=h, w=h + 3, ci=ci, co=co, kh=k, kw=k, pad=k // 2)
for b, m, n, k in [(8, 96, 96, 64), (6, 200, 64, 100), (24, 48, 48, 80), (4, 128, 320, 72)]:
    task(TRAIN, "batch_matmul", b=b, m=m, n=n, k=k)
for h, ci, co, k, s, p, c in [(28, 64, 64, 3, 1, 1, "none"), (28, 96, 96, 3, 1, 1, None), (20, 128, 64, 3, 1, 1, None), (40, 32, 96, 5, 1, 2, "none"),
                              (30, 48, 160, 1, 1, 0, "none"), (52, 40, 80, 1, 1, 0, None), (33, 64, 64, 3, 2, 1, "none"), (112, 3, 32, 3, 2, 1, None),
                              (64, 16, 32, 7, 2, 3, "none"), (10, 192, 192, 3, 1, 1, None), (15, 160, 96, 3, 1, 1, "none"), (24, 96, 192, 3, 2, 1, None)]:
    task(TRAIN, "conv2d", constant=c, n=1, h=h, w=h, ci=ci, co=co, kh=k, kw=k, stride=s, pad=p)
task(TRAIN, "conv2d", layout="NCHW", n=1, h=32, w=32, ci=48, co=64, kh=3, kw=3, pad=1)
task(TRAIN, "conv2d", layout="NCHW", n=1, h=26, w=26, ci=64, co=64, kh=3, kw=3, pad=1)
task(TRAIN, "conv2d", layout="NCHW", n=1, h=20, w=48, ci=64, co=96, kh=1, kw=1, pad=0)
task(TRAIN, "conv2d", n=1, h=30, w=30, ci=64, co=128, kh=3, kw=3, pad=1, groups=4)
task(TRAIN, "conv2d", n=1, h=26, w=26, ci=64, co=64, kh=3, kw=3, pad=2, dilation=2)
task(TRAIN, "conv2d", n=1, h=18, w=18, ci=96, co=96, kh=3, kw=3, pad=2, dilation=2, constant=None)
for w, ci, co, k, s, p in [(200, 48, 96, 3, 1, 1), (120, 96, 96, 5, 1, 2), (300, 32, 64, 3, 2, 1), (64, 192, 128, 1, 1, 0)]:
    task(TRAIN, "conv1d", n=1, w=w, ci=ci, co=co, kw=k, stride=s, pad=p)
for h, c, k, s in [(96, 32, 3, 1), (60, 96, 3, 1), (48, 144, 5, 1), (80, 64, 3, 2), (28, 240, 3, 1), (20, 480, 3, 2)]:
    task(TRAIN, "depthwise_conv2d", n=1, h=h, w=h, c=c, kh=k, kw=k, stride=s, pad=k // 2)
task(TRAIN, "depthwise_conv2d", layout="NCHW", n=1, h=64, w=64, c=48, kh=3, kw=3, pad=1)
for h, c, k, s in [(96, 48, 3, 2), (40, 128, 2, 2), (56, 80, 3, 1)]:
    task(TRAIN, "max_pool2d", n=1, h=h, w=h, c=c, kh=k, kw=k, stride=s, pad=0)
task(TRAIN, "avg_pool2d", n=1, h=64, w=64, c=64, kh=3, kw=3, stride=2, pad=1)
task(TRAIN, "avg_pool2d", n=1, h=30, w=30, c=200, kh=5, kw=5, stride=1, pad=2)
for m, n in [(600, 600), (2000, 256), (96, 5000), (1500, 1100)]:
    task(TRAIN, "reduce_sum", constant=None, m=m, n=n)
task(TRAIN, "reduce_max", constant=None, m=800, n=700)
task(TRAIN, "reduce_mean", constant=None, m=300, n=3000)
for m, n in [(500, 600), (2000, 300), (100, 4000), (1400, 1000)]:
    task(TRAIN, "column_sum", constant=None, m=m, n=n)
for b, m, n in [(1, 300, 400), (2, 500, 300), (1, 900, 1400)]:
    task(TRAIN, "norm", constant=None, b=b, m=m, n=n)
for m, n in [(400, 200), (900, 128), (256, 1200), (128, 500), (1000, 333), (64, 3000)]:
    task(TRAIN, "softmax", constant=None, m=m, n=n)
for m, n in [(200, 600), (500, 300)]:
    task(TRAIN, "log_softmax", constant=None, m=m, n=n)
for m, n in [(300, 512), (150, 1000), (600, 256)]:
    task(TRAIN, "rms_norm", constant=None, m=m, n=n)
for m, n in [(250, 640), (700, 200)]:
    task(TRAIN, "l2_normalize", constant=None, m=m, n=n)
for m, n in [(600, 700), (1024, 512), (300, 2000), (1000, 1000)]:
    task(TRAIN, "transpose", constant=None, m=m, n=n)
for h, ci, co, k, s, p in [(40, 32, 64, 3, 1, 1), (28, 64, 96, 3, 2, 1), (26, 96, 160, 1, 1, 0), (12, 160, 160, 3, 1, 1)]:
    task(TRAIN, "conv2d_bias_relu", constant=None, n=1, h=h, w=h, ci=ci, co=co, kh=k, kw=k, stride=s, pad=p)
for m, n, k in [(96, 512, 256), (200, 768, 192), (64, 300, 700)]:
    task(TRAIN, "dense_bias_gelu", constant=None, m=m, n=n, k=k)

for d, h, ci, co, k, s, p in [(6, 20, 24, 48, 3, 1, 1), (8, 14, 48, 64, 3, 2, 1), (4, 28, 32, 96, 1, 1, 0)]:
    task(HELDOUT, "conv3d", n=1, d=d, h=h, w=h, ci=ci, co=co, kd=k, kh=k, kw=k, stride=s, pad=p)
for h, ci, co, k in [(12, 128, 96, 4), (20, 64, 48, 4), (9, 96, 128, 3)]:
    task(HELDOUT, "conv2d_transposed", n=1, h=h, w=h, ci=ci, co=co, kh=k, kw=k, stride=2, pad=1)
for h, ci, co in [(10, 16, 24), (14, 12, 16)]:
    task(HELDOUT, "capsule_conv2d", n=1, h=h, w=h, ci=ci, co=co, kh=3, kw=3, stride=1, pad=1)
for s, heads, d in [(112, 10, 56), (72, 14, 96), (160, 6, 80)]:
    task(HELDOUT, "transpose_batch_matmul", constant=None, b=1, seq=s, heads=heads, hidden=d)
for m, n, k in [(88, 420, 340), (240, 336, 176), (40, 900, 300)]:
    task(HELDOUT, "matmul_bias_gelu", constant=None, m=m, n=n, k=k)
for m, n in [(220, 560), (460, 900), (130, 1700)]:
    task(HELDOUT, "layer_norm", constant=None, m=m, n=n)
for h, c, co in [(34, 48, 72), (22, 112, 56)]:
    task(HELDOUT, "depthwise_pointwise", constant=None, n=1, h=h, w=h, c=c, co=co)
for h, ci, co, k, s, p in [(36, 40, 56, 3, 1, 1), (22, 72, 144, 3, 2, 1), (44, 56, 112, 1, 1, 0)]:
    task(HELDOUT, "conv2d_bn_relu", constant=None, n=1, h=h, w=h, ci=ci, co=co, kh=k, kw=k, stride=s, pad=p)


def main(folder):
    for name, tasks in (("train.tasks", TRAIN), ("heldout.tasks", HELDOUT)):
        text = "# scripts/training_tasks.py; autotune record --tasks\n" + "".join(t + "\n" for t in tasks)
        pathlib.Path(folder, name).write_text(text)
    print(len(TRAIN), "to train on,", len(HELDOUT), "held out")


if __name__ == "__main__":
    main(sys.argv[1])
