"""Which privileges a role lacks: one query for each kind of thing that privileges are given on."""

from __future__ import annotations

from pyinfra.api import StringCommand

from slipway.facts.postgres import Ask, Cluster, ask
from slipway.sql import literal, texts


class GrantFact(Ask):
    """Which of the things that a role is to have privileges on lack one; `[]` where it has them all.

    Privileges count that the role holds itself, by name: one that PUBLIC or a group would lend it can go any time.
    """

    def command(
        self, cluster: Cluster, database: str, role: str, kind: str, privileges: tuple[str, ...], schema: str,
        objects: tuple[str, ...] = (), creator: str = "",
    ) -> StringCommand:  # fmt: skip
        things = _THINGS["future" if creator else kind] % {
            "schema": literal(schema),
            "creator": literal(creator),
            "letter": literal(_LETTERS.get(kind, "")),
            "chosen": f"AND name = ANY ({texts(objects)})" if objects else "",
        }
        wanted = {"things": things, "role": literal(role), "privileges": texts(privileges)}
        return ask(cluster, database, _LACKING % wanted)


_LACKING = """\
SELECT coalesce(json_agg(DISTINCT name), '[]') FROM (%(things)s) t, unnest(%(privileges)s) p
WHERE NOT EXISTS (SELECT FROM aclexplode(acl) a JOIN pg_roles r ON r.oid = a.grantee
                  WHERE r.rolname = %(role)s AND a.privilege_type = p)
"""
_LETTERS = {"tables": "r", "sequences": "S", "functions": "f"}
_OF_CLASS = """\
SELECT * FROM (SELECT relname::text AS name, coalesce(relacl, acldefault('{letter}', relowner)) AS acl FROM pg_class
JOIN pg_namespace n ON n.oid = relnamespace
WHERE n.nspname = %(schema)s AND relkind IN ({kinds})) c WHERE true %(chosen)s
"""
_THINGS = {
    "database": """SELECT datname::text AS name, coalesce(datacl, acldefault('d', datdba)) AS acl
        FROM pg_database WHERE datname = current_database()""",
    "schema": """SELECT nspname::text AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl
        FROM pg_namespace WHERE nspname = %(schema)s""",
    "tables": _OF_CLASS.format(letter="r", kinds="'r', 'p', 'v', 'm', 'f'"),
    "sequences": _OF_CLASS.format(letter="s", kinds="'S'"),
    "functions": """SELECT * FROM (SELECT proname::text AS name, coalesce(proacl, acldefault('f', proowner)) AS acl
        FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE n.nspname = %(schema)s AND prokind <> 'p') c
        WHERE true %(chosen)s""",
    "future": """SELECT %(schema)s AS name, (SELECT defaclacl FROM pg_default_acl
        JOIN pg_namespace n ON n.oid = defaclnamespace WHERE n.nspname = %(schema)s
        AND pg_get_userbyid(defaclrole) = %(creator)s AND defaclobjtype = %(letter)s) AS acl""",
}
