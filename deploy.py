"""What goes on which group of hosts, in which order. Run by ./slipway and by plain pyinfra alike."""

from roles import app, base, docker, firewall, nginx, postgres, reconciler, redis, ssh
from slipway.deploy import converge, once, roll

edges = {"nginx": nginx.traffic}

# On record before anything changes: whatever happens, it is known what a rollback has to undo.
converge("Release", {"all": app.staged})
converge("Base system", {"all": base})
# Who may come in: nothing of it is ours unless group_data says so.
converge("Log-ins", {"all": ssh})
converge("Reconciler log-in", {"all": reconciler.access})
converge("Firewall", {"all": firewall})
converge("Services", {"workers": docker, "postgres": postgres, "redis": redis}, through=edges)
converge("Edges", {"nginx": nginx})
converge("Images", {"workers": app.images})
once("Schema", {"workers": app.migration})
converge("Traffic", {"nginx": app.traffic})
roll("Application", {"workers": app}, through=edges)
converge("Proof", {"nginx": app.proof})
converge("Reconciler", {"all": reconciler})
converge("Record", {"all": app.record})
