"""What a host does for a change that may cut us off from it: keeps what is there, and puts it back unless told not to.

All of it lies in one directory, so that one such change is under way on a host at a time:

    paths       the files, each `+ PATH` where it was there before and `- PATH` where it was not
    was/N       the file of line N as it was
    restore     shell that puts back what is in force, once the files are back
    undo        UNDO below
    armed.TOKEN not confirmed yet; whoever renames it, the undo or the confirmation, has won
    undoing     being put back; again where a reboot or a kill came in between
    undone      put back: when, and on whose word
"""

from __future__ import annotations

GUARDED = "/var/lib/slipway/guarded"

BOOT_UNIT = f"""\
# Managed by Slipway, and there only while a change waits for its confirmation.
[Unit]
Description=Put back what an unconfirmed change of Slipway replaced
DefaultDependencies=no
Conflicts=shutdown.target
RequiresMountsFor={GUARDED} /etc /home
After=local-fs.target
Before=network-pre.target slipway-firewall.service ssh.service ssh.socket shutdown.target
ConditionPathExists={GUARDED}/undo

[Service]
Type=oneshot
ExecStart=/bin/sh {GUARDED}/undo boot
"""
"""A timer of systemd-run does not outlive a reboot: what is armed then is undone at boot, before anybody can log in."""

_BOOT = """\
unit=/etc/systemd/system/slipway-undo-boot.service
link=/etc/systemd/system/sysinit.target.wants/slipway-undo-boot.service
"""

ARM = f"""\
set -eu
dir=$1 what=$2 seconds=$3 token=$4 keep=$5 restore=$6 undo=$7 boot=$8; shift 8
{_BOOT}umask 077
for left in "$dir"/armed.* "$dir/undoing"; do
  [ -e "$left" ] || continue
  echo "a change of $(cat "$dir/what") waits for its confirmation here; run again in a minute" >&2; exit 75
done
rm -rf -- "$dir"
(umask 022; mkdir -p -- "${{dir%/*}}" "${{link%/*}}")
# Nothing is changed yet: where arming fails, nothing of it stays.
trap 'code=$?; [ "$code" -eq 0 ] || rm -rf -- "$dir" "$unit" "$link"; exit "$code"' EXIT
trap 'exit 129' HUP INT PIPE TERM
mkdir -p -- "$dir/was"; cd -- "$dir"
n=0; : > paths
for path in "$@"; do
  n=$((n + 1)) mark=-
  if [ -e "$path" ] || [ -L "$path" ]; then mark=+; cp -a -- "$path" "was/$n"; fi
  printf '%s %s\\n' "$mark" "$path" >> paths
done
printf '%s\\n' "$what" > what
printf '%s' "$restore" > restore
printf '%s' "$undo" > undo
sh -c "$keep"
(umask 022; printf '%s' "$boot" > "$unit"; ln -sfn -- ../slipway-undo-boot.service "$link")
: > "armed.$token"
# A power cut may come: what is to be put back has to be on the disk before anything is changed.
sync -- * was was/* . .. "$unit" "${{link%/*}}" 2> /dev/null || :
systemctl stop -- "slipway-undo-$what.timer" 2> /dev/null || :
systemd-run --quiet --collect --unit="slipway-undo-$what" --on-active="${{seconds}}s" \\
  --timer-property=AccuracySec=100ms /bin/sh "$dir/undo" timer
"""
"""Arguments: the directory, what is changed, seconds, a token, `keep`, `restore`, UNDO, BOOT_UNIT, then the paths."""

UNDO = f"""\
# Goes with Slipway. Puts back what a change replaced that nobody confirmed. May be run at any time, and again.
set -u
why=$1; cd -- "${{0%/*}}" || exit 1
{_BOOT}what=$(cat what)
tell() {{ echo "$2" >&2; logger -t slipway -p "daemon.$1" -- "$2" || :; }}
exec 9>> lock
# A step of the change may be at work. It ends within moments; for one that hangs nobody is left locked out.
flock --wait 10 9 || :
for armed in armed.*; do mv -T -- "$armed" undoing 2> /dev/null || :; done
[ -e undoing ] || exit 0
bad=
n=0
while read -r mark path; do
  n=$((n + 1))
  new=${{path%/*}}/.slipway-undo
  if [ "$mark" = - ]; then
    rm -f -- "$path" || bad="$bad $path"
  else
    rm -f -- "$new"
    {{ cp -a -- "was/$n" "$new" && mv -fT -- "$new" "$path"; }} || bad="$bad $path"
  fi
done < paths
# At boot nothing is in force yet: whatever starts reads the files as they are now.
[ "$why" = boot ] || sh ./restore 9>&- || bad="$bad (what is in force)"
if [ -n "$bad" ]; then
  tell err "the change of $what was not confirmed, and could not be put back wholly:$bad"
  exit 1
fi
printf '%s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$why" > undoing
mv -T -- undoing undone
rm -rf -- was "$unit" "$link"
[ "$why" = boot ] || systemctl stop -- "slipway-undo-$what.timer" 2> /dev/null || :
tell warning "the change of $what was not confirmed: what was there before it is back ($why)"
"""
"""Argument: on whose word (timer, boot, refused, failed, later). Ends with 0 where there was nothing to undo."""

STEP = """\
dir=$1 token=$2; shift 2
late() { echo 'this came too late: the host has put back what was there before' >&2; exit 75; }
[ -d "$dir" ] || late
exec 9>> "$dir/lock"
flock 9
[ -e "$dir/armed.$token" ] || late
"$@" 9>&-
code=$?
[ "$code" -eq 0 ] || { exec 9>&-; sh "$dir/undo" failed && rm -rf -- "$dir"; }
exit "$code"
"""
"""A step of the change, never begun once it is being undone; where it fails, it is undone at once.

Arguments: the directory, the token, then the step's own words."""

CONFIRM = f"""\
{_BOOT}cd -- "$1" 2> /dev/null && mv -T -- "armed.$2" confirmed 2> /dev/null || {{ echo late; exit 0; }}
systemctl stop -- "slipway-undo-$(cat what).timer" || :
rm -rf -- "$unit" "$link" "$1"
echo confirmed
"""
"""Arguments: the directory, the token. Says `confirmed`, or `late` where the undo has begun."""

STATE = """\
cd -- "$1" 2> /dev/null || { echo gone; exit 0; }
for state in armed.* undoing undone; do [ ! -e "$state" ] || { echo "${state%%.*}"; exit 0; }; done
echo gone
"""
"""Argument: the directory. Says how the change there stands."""

SETTLE = f"""\
[ -d "$1" ] || exit 0
{_BOOT}cd -- "$1" || exit 1
[ ! -e undo ] || sh ./undo later || exit 1
[ ! -e undone ] || printf '%s %s\\n' "$(cat what)" "$(cat undone)"
rm -rf -- "$unit" "$link" "$1"
"""
"""Argument: the directory. Undoes what a run that died has left unconfirmed, and says once what was undone."""
