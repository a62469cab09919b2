"""The services behind the gateway: connections, time-outs, replicas."""
