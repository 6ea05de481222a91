"""The engine: touches hosts. It knows stages, operations and order; it knows no role."""
