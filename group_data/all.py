"""What differs from the roles' defaults on every host of every inventory."""

stack = "demo"
