"""The resources as they stand in JSON: pydantic models, one file for each resource. Nothing here knows the store."""
