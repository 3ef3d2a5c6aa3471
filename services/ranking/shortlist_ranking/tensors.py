"""Tensors of the Open Inference Protocol: what the model takes and gives, off the wire and onto it, checked."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shortlist.inference.v2 import inference_service_pb2 as pb
from shortlist_domain.errors import InvalidRequest, Violation
from shortlist_rpc.actor_message import filled

ANY = -1
"""A length that the request chooses."""


class Tensor(NamedTuple):
    """A tensor of one axis."""

    datatype: str
    """``UINT32``, ``FP32``, ``FP64`` or ``BYTES``, by the protocol's names."""

    length: int = ANY


INPUTS: dict[str, Tensor] = {
    "rows": Tensor("UINT32"),
    "actor_embedding": Tensor("FP32"),
    "now_s": Tensor("FP64", 1),
    "history_rows": Tensor("UINT32"),
    "history_values": Tensor("FP32"),
    "history_times_s": Tensor("FP64"),
    "attribute_names": Tensor("BYTES"),
    "attribute_values": Tensor("BYTES"),
    "number_names": Tensor("BYTES"),
    "number_values": Tensor("FP64"),
    "chosen_names": Tensor("BYTES"),
    "chosen_values": Tensor("BYTES"),
}
"""What the model takes; the fields of RankCandidatesRequest and of its actor, one tensor a column."""

REQUIRED = ("rows",)
OUTPUTS: dict[str, Tensor] = {name: Tensor("FP32") for name in ("score", "click", "rating")}

_TYPECODES = {"UINT32": "I", "FP32": "f", "FP64": "d"}
_FIELDS = {"UINT32": "uint_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}
_PREFIX_BYTES = 4
"""Length of what stands before a raw BYTES value."""


class Inputs:
    """The inputs of one request; absent ones are empty."""

    def __init__(self, request: pb.ModelInferRequest) -> None:
        """Read and check the inputs of ``request``.

        Raises:
            InvalidRequest: Names every tensor that is wrong, and how.
        """
        self._violations: list[Violation] = []
        self._numbers: dict[str, array[float]] = {}
        self._texts: dict[str, list[str]] = {}
        raw = request.raw_input_contents
        if raw and len(raw) != len(request.inputs):
            found = f"has {len(raw)} entries, inputs has {len(request.inputs)}"
            raise InvalidRequest(Violation("raw_input_contents", found))
        for position, tensor in enumerate(request.inputs):
            self._read(position, tensor, raw[position] if raw else None)
        for name in REQUIRED:
            if not any(tensor.name == name for tensor in request.inputs):
                self._wrong("inputs", f"tensor {name!r} is required")
        if self._violations:
            raise InvalidRequest(*self._violations)

    def uints(self, name: str) -> array[int]:
        """Return the values of a UINT32 tensor."""
        return self._numbers.get(name, array("I"))  # type: ignore[return-value]  # by the table of inputs

    def floats(self, name: str) -> array[float]:
        """Return the values of an FP32 or FP64 tensor."""
        return self._numbers.get(name, array(_TYPECODES[INPUTS[name].datatype]))

    def texts(self, name: str) -> Sequence[str]:
        """Return the values of a BYTES tensor."""
        return self._texts.get(name, ())

    def pairs(self, kind: str) -> list[tuple[str, str]]:
        """Return the values of ``<kind>_names`` beside those of ``<kind>_values``; raises as :meth:`numbers`."""
        names, values = self.texts(f"{kind}_names"), self.texts(f"{kind}_values")
        _check_lengths(kind, len(names), len(values))
        return list(zip(names, values, strict=True))

    def numbers(self) -> Mapping[str, float]:
        """Return ``number_values`` by ``number_names``.

        Raises:
            InvalidRequest: The two differ in length.
        """
        names, values = self.texts("number_names"), self.floats("number_values")
        _check_lengths("number", len(names), len(values))
        return dict(zip(names, values, strict=True))

    def _read(self, position: int, tensor: pb.ModelInferRequest.InferInputTensor, raw: bytes | None) -> None:
        name, field = tensor.name, f"inputs[{position}]"
        wanted = INPUTS.get(name)
        if wanted is None:
            self._wrong(f"{field}.name", f"is {name!r}; the inputs are {', '.join(INPUTS)}")
            return
        shape = list(tensor.shape)
        if name in self._numbers or name in self._texts:
            self._wrong(f"{field}.name", f"tensor {name!r} is given twice")
        elif tensor.datatype != wanted.datatype:
            self._wrong(f"{field}.datatype", f"tensor {name!r} is {tensor.datatype!r}; it must be {wanted.datatype}")
        elif len(shape) != 1 or shape[0] < 0 or wanted.length not in (ANY, shape[0]):
            self._wrong(f"{field}.shape", f"tensor {name!r} has shape {shape}; it must be [{wanted.length}]")
        elif tensor.parameters:
            self._wrong(f"{field}.parameters", f"tensor {name!r} has parameters; none are honoured")
        elif raw is None:
            self._take_typed(f"{field}.contents", name, wanted.datatype, tensor.contents, shape[0])
        elif tensor.HasField("contents"):
            self._wrong(f"{field}.contents", f"tensor {name!r} has contents in raw_input_contents as well")
        else:
            self._take_raw(f"raw_input_contents[{position}]", name, wanted.datatype, raw, shape[0])

    def _take_typed(self, field: str, name: str, datatype: str, contents: pb.InferTensorContents, n: int) -> None:
        own = _FIELDS[datatype]
        others = [descriptor.name for descriptor, _ in contents.ListFields() if descriptor.name != own]
        values = getattr(contents, own)
        if others:
            self._wrong(f"{field}.{others[0]}", f"tensor {name!r} is {datatype}; its contents belong in {own}")
        elif len(values) != n:
            self._wrong(f"{field}.{own}", f"tensor {name!r} has {len(values)} values; its shape is [{n}]")
        elif datatype == "BYTES":
            self._take_texts(f"{field}.{own}", name, values)
        else:
            self._numbers[name] = array(_TYPECODES[datatype], values)

    def _take_raw(self, field: str, name: str, datatype: str, raw: bytes, n: int) -> None:
        if datatype == "BYTES":
            values = _raw_texts(raw)
            if values is None or len(values) != n:
                self._wrong(field, f"tensor {name!r}: {len(raw)} bytes are not {n} values, each after its length")
            else:
                self._take_texts(field, name, values)
            return
        column: array[float] = array(_TYPECODES[datatype])
        if len(raw) != n * column.itemsize:
            found = f"tensor {name!r} has {len(raw)} bytes; shape [{n}] of {datatype} takes {n * column.itemsize}"
            self._wrong(field, found)
        else:
            self._numbers[name] = filled(column, raw, field)

    def _take_texts(self, field: str, name: str, values: Sequence[bytes]) -> None:
        try:
            self._texts[name] = [value.decode() for value in values]
        except UnicodeDecodeError as error:
            self._wrong(field, f"tensor {name!r} holds text that is not UTF-8: {error.reason}")

    def _wrong(self, field: str, description: str) -> None:
        self._violations.append(Violation(field, description))


def add_output(response: pb.ModelInferResponse, name: str, column: array[float], *, is_raw: bool) -> None:
    """Add an output of ``response``.

    Args:
        response: Where it goes.
        name: Output by its name.
        column: Its values, float32 ``(ranked,)``.
        is_raw: Whether contents are raw; else typed.
    """
    output = response.outputs.add(name=name, datatype=OUTPUTS[name].datatype, shape=[len(column)])
    if is_raw:
        response.raw_output_contents.append(column.tobytes())
    else:
        output.contents.fp32_contents.extend(column)


def metadata(tensors: Mapping[str, Tensor], dim: int) -> list[pb.ModelMetadataResponse.TensorMetadata]:
    """Return ``tensors`` as clients see them; the embedding's length is the bundle's ``dim``."""
    return [
        pb.ModelMetadataResponse.TensorMetadata(
            name=name, datatype=tensor.datatype, shape=[dim if name == "actor_embedding" else tensor.length]
        )
        for name, tensor in tensors.items()
    ]


def _check_lengths(kind: str, n_names: int, n_values: int) -> None:
    if n_names != n_values:
        raise InvalidRequest(
            Violation(f"{kind}_values", f"tensor has {n_values} values, tensor '{kind}_names' has {n_names}")
        )


def _raw_texts(raw: bytes) -> list[bytes] | None:
    """Return the values of a raw BYTES tensor, ``None`` where the lengths in it do not add up."""
    values, start = [], 0
    while start < len(raw):
        begin = start + _PREFIX_BYTES
        start = begin + int.from_bytes(raw[start:begin], "little")
        if begin > len(raw) or start > len(raw):
            return None
        values.append(raw[begin:start])
    return values
