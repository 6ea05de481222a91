"""Operations where pyinfra's own are broken or missing. Each is tested with its facts against the real service."""
