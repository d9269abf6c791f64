"""Settings: `base` shared, `dev` one machine, `prod` behind TLS, `test`. Only `environment` reads the environment."""
