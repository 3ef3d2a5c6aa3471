"""The published messages of Google Retail. The only module that imports them: they come with the extra ``retail``.

The package has no descriptors of services, since its clients need none; those that are served are described here, so
that reflection and health know them.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool

try:
    from google.cloud.retail_v2 import types
except ImportError as error:
    raise ImportError(
        "SHORTLIST_GATEWAY_IS_RETAIL_SERVED needs the published messages of Google Retail; install shortlist[retail], "
        f"or switch it off ({error})"
    ) from error

PredictRequest = types.PredictRequest.pb()
PredictResponse = types.PredictResponse.pb()
UserEvent = types.UserEvent.pb()
WriteUserEventRequest = types.WriteUserEventRequest.pb()

_PACKAGE = "google.cloud.retail.v2"
_METHODS = {
    ("PredictionService", "Predict"): (PredictRequest, PredictResponse),
    ("UserEventService", "WriteUserEvent"): (WriteUserEventRequest, UserEvent),
}


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="shortlist_gateway/retail/services.proto", package=_PACKAGE, syntax="proto3"
    )
    messages = [message.DESCRIPTOR for pair in _METHODS.values() for message in pair]
    file.dependency.extend(dict.fromkeys(message.file.name for message in messages))
    for (service, method), (request, response) in _METHODS.items():
        file.service.add(name=service).method.add(
            name=method,
            input_type=f".{request.DESCRIPTOR.full_name}",
            output_type=f".{response.DESCRIPTOR.full_name}",
        )
    return file


descriptor_pool.Default().Add(_described())
SERVICES = tuple(descriptor_pool.Default().FindServiceByName(f"{_PACKAGE}.{service}") for service, _ in _METHODS)
"""Descriptors of the services, with the methods that are served."""
