"""What is kept: tables, one file of statements per noun, and the engine that runs them."""
