"""Which lines of a requirements file are plain enough for others to share what comes of them."""

import pytest

from sotabench.errors import Failed
from sotabench.runner.requirements import LONGEST, Requirements, parse_requirements, read_requirements

HELD = frozenset({"torch", "pillow", "typing-extensions"})
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "line",
    [
        "timm",
        "timm==0.4.12",
        "timm[extra, other] >= 0.4, != 0.5",
        "timm>=0.4; python_version >= '3.8'",
        f"timm==0.4.12 --hash={DIGEST} --hash={DIGEST}",
        f"timm==0.4.12 \\\n    --hash={DIGEST}",
        "timm==0.4.12  # the last that works",
    ],
)
def test_names_with_versions_extras_markers_and_hashes_are_plain(line):
    found = parse_requirements(f"# ours\n\n{line}\n", HELD)
    assert (len(found.plain), found.held, found.why_private) == (1, (), "")


@pytest.mark.parametrize(
    "line",
    [
        "-e .",
        "--editable=./pkg",
        ".",
        "./pkg",
        "../pkg",
        "/srv/pkg",
        "pkg @ file:///work/repository/pkg",
        "pkg @ https://example.org/pkg.whl",
        "https://example.org/pkg.whl",
        "git+https://example.org/pkg.git",
        "pkg @ git+ssh://git@example.org/pkg.git",
        "-r more.txt",
        "--requirement more.txt",
        "-c limits.txt",
        "--index-url https://example.org/simple",
        "-i https://example.org/simple",
        "--extra-index-url https://example.org/simple",
        "--find-links ./wheels",
        "--no-binary :all:",
        "--pre",
        "--trusted-host example.org",
        "timm --global-option=x",
        "timm==0.4.12 --config-settings=a=b",
        "${HOME}/pkg",
        'x; python_version == "\\x"',
        "x; " + 1000 * "(",
        "x" + 1000 * "[",
        "x " + 1000 * "(",
    ],
)
def test_anything_else_is_private(line):
    assert repr(line[:200]) in parse_requirements(f"six\n{line}\n", HELD).why_private


@pytest.mark.parametrize(
    "line",
    [
        "torch==1.4.0",
        "Torch",
        "Pillow<7",
        "typing_extensions==3.7",
        "torch[x]>=1; python_version>'3'",
        f"torch==1.4.0 --hash={DIGEST}",
        f"torch==1.4.0\t--hash={DIGEST}",
        "torch @ https://example.org/torch-1.4.0-cp36-cp36m-linux_x86_64.whl",
        "git+git://example.org/fork@patch-2#egg=torch",
        "-e git+https://example.org/fork.git@v1#subdirectory=src&egg=Typing_Extensions",
    ],
)
def test_what_the_platform_holds_is_set_aside_whatever_the_version(line):
    found = parse_requirements(f"{line}\nsix", HELD)
    assert (found.plain, found.why_private) == (("six",), "")
    assert [asked for asked, _ in found.held] == [line]
    assert {name for _, name in found.held} <= HELD


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("git+https://github.com/paperswithcode/torchbench.git", "torchbench"),
        ("-e git+git://github.com/paperswithcode/sotabench-eval@develop", "sotabencheval"),
        ("git+ssh://git@github.com/paperswithcode/sotabench-api.git@v0.0.3", "sotabenchapi"),
        ("https://github.com/paperswithcode/torchbench/archive/master.zip", "torchbench"),
    ],
)
def test_predecessor_by_its_address_is_set_aside(line, name):
    held = HELD | {"torchbench", "sotabencheval", "sotabenchapi"}
    found = parse_requirements(f"{line}\nsix", held)
    assert found == Requirements(("six",), ((line, name),), "")
    assert parse_requirements(
        line.replace("torchbench", "torchbench-more").replace("sotabench-", "other-"), held
    ).why_private


def test_link_gives_a_private_environment(tmp_path):
    (tmp_path / "all.txt").write_text("six\n")
    (tmp_path / "requirements.txt").symlink_to("all.txt")
    assert read_requirements(tmp_path, HELD).why_private == "requirements.txt is a link"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"six\n" * (LONGEST // 4 + 1), b"six\n" * 2001])
def test_what_is_no_text_or_too_long_fails(content, tmp_path):
    (tmp_path / "requirements.txt").write_bytes(content)
    with pytest.raises(Failed, match=r"expected .*requirements.txt"):
        read_requirements(tmp_path, HELD)
