"""Rule files and the configuration: YAML with places, schema checks, static checks, and the compiled model."""
