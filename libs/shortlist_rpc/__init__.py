"""gRPC as every service uses it: servers, channels, interceptors, statuses, health, drain."""
