"""A model server that this software starts, keeps alive, and ends with itself, however that ends."""
