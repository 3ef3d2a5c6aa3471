"""The gateway starts where nothing heavy is installed. The static import contract cannot see a dynamic import."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "torch", "faiss", "onnxruntime", "pandas", "polars", "pyarrow", "redis", "scipy", "onnx")

PROGRAM = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {heavy!r}:
            raise ImportError(f"{{name}} is not installed here")
sys.meta_path.insert(0, Refuse())
import {module}
print("started")
"""


def run(module: str, heavy: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(heavy=heavy, module=module)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["shortlist_gateway.__main__", "shortlist_gateway.wiring", "shortlist_client"])
def test_it_starts_without_heavy_packages(module: str) -> None:
    done = run(module, HEAVY)
    assert done.stdout.strip() == "started", done.stderr


def test_the_feature_store_needs_redis_and_nothing_numerical() -> None:
    done = run("shortlist_feature_store.__main__", tuple(p for p in HEAVY if p != "redis"))
    assert done.stdout.strip() == "started", done.stderr


@pytest.mark.parametrize("module", ["shortlist_retrieval.__main__", "shortlist_ranking.__main__"])
def test_serving_stages_start_without_the_training_stack(module: str) -> None:
    done = run(module, ("torch", "pandas", "polars", "pyarrow", "scipy", "onnx", "redis"))
    assert done.stdout.strip() == "started", done.stderr


def test_the_refusal_works() -> None:
    assert "numpy is not installed here" in run("numpy", HEAVY).stderr


def test_the_facade_for_retail_says_what_to_install() -> None:
    done = run("shortlist_gateway.retail.servicer", (*HEAVY, "proto"))
    assert done.returncode != 0
    assert "install shortlist[retail]" in done.stderr


@pytest.mark.parametrize("module", ["shortlist_gateway.__main__", "shortlist_gateway.wiring"])
def test_the_gateway_starts_without_the_messages_of_retail(module: str) -> None:
    done = run(module, (*HEAVY, "proto", "requests"))
    assert done.stdout.strip() == "started", done.stderr
