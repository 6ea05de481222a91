"""What goes on which group of hosts, in which order. Run by ./slipway and by plain pyinfra alike."""

from roles import app, base, docker, nginx, postgres, redis
from slipway.deploy import converge, once, roll

converge("Base system", {"all": base})
converge("Services", {"workers": docker, "postgres": postgres, "redis": redis})
converge("Edges", {"nginx": nginx})
converge("Images", {"workers": app.images})
once("Schema", {"workers": app.migration})
roll(
    "Application",
    {"workers": app},
    policy=app.policy,
    through="nginx",
    traffic=nginx.traffic,
    revert=app.revert,
)
converge("Proof", {"nginx": app.proof})
converge("Record", {"all": app.record})
