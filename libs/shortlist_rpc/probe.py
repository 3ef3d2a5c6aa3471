"""``python -m shortlist_rpc.probe ADDRESS [NAME]``: asks a server for its health; for images that hold nothing else.

Exit status 0 where it says SERVING, else 1 with a line on standard error that says why.
"""

import sys
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 2.0


def why_not_serving(address: str, name: str = "", timeout_s: float = TIMEOUT_S) -> str:
    """Return why the server at ``address`` is not SERVING; empty where it is.

    Args:
        address: ``host:port``.
        name: Full name of a gRPC service for its readiness, ``liveness`` for the loop's; empty for all services.
        timeout_s: Longest wait in seconds, the connection included.
    """
    with grpc.insecure_channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            answer = check(health_pb2.HealthCheckRequest(service=name), timeout=timeout_s, wait_for_ready=True)
        except grpc.RpcError as error:
            code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
            if code is grpc.StatusCode.NOT_FOUND:
                return f"{address} has no service {name!r}"
            return f"{address}: no answer within {timeout_s:g} s ({code.name})"
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return ""
    return f"{address} {name}: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}"


def main(arguments: Sequence[str]) -> int:
    """Probe, and return the exit status."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m shortlist_rpc.probe HOST:PORT [SERVICE]\n")
        return 2
    reason = why_not_serving(arguments[0], arguments[1] if len(arguments) > 1 else "")
    if reason:
        sys.stderr.write(f"{reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
