"""What the operations do, one file for each resource."""
