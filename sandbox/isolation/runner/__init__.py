"""What runs inside the jail. Imports the standard library, duckdb and pyarrow; nothing else of this project."""
