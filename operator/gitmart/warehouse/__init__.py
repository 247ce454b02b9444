"""The PostgreSQL side that workers share: connections, migrations, roles, locks, COPY."""
