"""What runs on a host before a run: a line for each thing seen, its columns parted by tabs. Writes nothing.

Its positional parameters: seconds for a name or a connection, seconds for a daemon, policy file, its mark, then words
of what to look for. Mirrors are tried where one of the packages is missing, or `fetches:` is among the words.
"""

from __future__ import annotations

from slipway.facts.packages import INTERRUPTED

LOOK = """\
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
printf 'began\\t%s\\n' "$(date +%s.%N)"
try_seconds=$1 ask_seconds=$2 policy=$3 mark=$4; shift 4  # what follows are words of what to look for: kind:value
bounded() { seconds=$1; shift; timeout -k 1 "$seconds" "$@" < /dev/null; }
end='
'
has() { printf 'has\\t%s\\n' "$1"; }

[ ! -d /run/systemd/system ] || has systemd
for program in bash ss apt-get dpkg-query; do ! command -v $program > /dev/null || has $program; done
if [ -s /run/systemd/container ] || bounded "$ask_seconds" systemd-detect-virt --quiet --container; then
  has container
else  # timedated starts for this question, and knows whoever keeps the time
  printf 'ntp\\t%s\\n' "$(bounded "$ask_seconds" timedatectl show --property=NTPSynchronized --value 2> /dev/null)"
fi
while read -r key value _; do
  case $key in MemTotal: | MemAvailable: | SwapTotal:) printf 'memory\\t%s\\t%s\\n' "$key" "$value" ;; esac
done < /proc/meminfo
bounded "$ask_seconds" systemctl list-units --failed --plain --no-legend --no-pager 2> /dev/null |
  while read -r unit _; do printf 'failed\\t%s\\n' "$unit"; done
if [ -e /run/reboot-required ]; then
  printf 'reboot\\t%s\\n' "$(sort -u /run/reboot-required.pkgs 2> /dev/null | tr '\\n' ' ')"
fi

process() {  # sets $pid, $unit and $name to those of process $1; no name where it is gone
  pid=$1 unit= name=
  [ ! -r "/proc/$1/comm" ] || read -r name < "/proc/$1/comm"
  [ ! -r "/proc/$1/cgroup" ] || while IFS=: read -r _ controllers path; do
    case $controllers in '' | name=systemd) unit=${path##*/}; [ -z "$unit" ] || break ;; esac
  done < "/proc/$1/cgroup"
  case $unit in *.service | *.scope) ;; *) unit= ;; esac
} 2> /dev/null

holder() {  # as columns: who has a socket, of those that ss says in $1; fails where all of them are gone
  rest=$1 some=
  case $rest in *pid=*) ;; *) printf '0\\t\\t'; return ;; esac
  while case $rest in *pid=*) ;; *) false ;; esac; do  # a child that was forked off just now may be gone again
    rest=${rest#*pid=}
    process "${rest%%,*}"
    [ -z "$unit" ] || break
    [ -z "$name" ] || some=$pid
  done
  [ -n "$unit" ] || [ -z "$some" ] || process "$some"
  [ -n "$unit$name" ] && printf '%s\\t%s\\t%s' "$pid" "$unit" "$name"
}

lies() {  # sets $there to what is there of the path $1
  there=$1
  while [ ! -e "$there" ] && [ "$there" != / ]; do there=${there%/*}; there=${there:-/}; done
}

disk() {  # path $1, which lies at $2, on the file system of which df says $3
  if [ -w "$2" ]; then access=rw; else access=ro; fi  # of root only a read-only file system says no
  printf 'disk\\t%s\\t%s\\t%s\\n' "$1" "$access" "$3"
}

df_of() { bounded "$ask_seconds" df -k --output=size,avail,itotal,iavail,target -- "$@" 2> /dev/null; }

df_of_all() {
  n=$#
  for each do lies "$each"; set -- "$@" "$there"; done
  shift "$n"
  df_of "$@"
}

disks() {  # the file systems that these paths lie on, or will
  [ $# -gt 0 ] || return 0
  told=$(df_of_all "$@") || {
    # One of them does not answer, or is gone: each by itself.
    for each do
      lies "$each"
      disk "$each" "$there" "$(df_of "$there" | tail -n 1)"
    done
    return
  }
  for each do  # a line for each, behind one with the columns' names
    told=${told#*"$end"}
    lies "$each"
    disk "$each" "$there" "${told%%"$end"*}"
  done
}

tried() { printf 'tried\\t%s\\t%s\\t%s\\t%s\\n' "${1%:*}" "${1##*:}" "$2" "$3"; }

# What bash says of HOST:PORT, as exit code and complaint in one line.
opens='
  try() { said=$(exec 2>&1; exec 3<> "/dev/tcp/${1%:*}/${1##*:}"); echo "$1 $? ${said//[[:cntrl:]]/ }"; }
  for each do try "$each" & done
  wait'

to_addresses() {  # all of them in one process; what has not answered when time is up is silent
  [ $# -gt 0 ] || return 0
  answers=$end$(bounded "$try_seconds" bash -c "$opens" opens "$@")$end
  for each do
    case $answers in
      *"$end$each "*) said=${answers#*"$end$each "} said=${said%%"$end"*}; tried "$each" "${said%% *}" "${said#* }" ;;
      *) tried "$each" 124 '' ;;
    esac
  done
}

to_name() {
  bounded "$try_seconds" getent ahosts "${1%:*}" > /dev/null 2>&1 || { tried "$1" 1 unresolved; return; }
  to_addresses "$1"
}

connect() {  # to HOST:PORT each, all at once
  addresses=
  for each do
    case ${each%:*} in *[!0-9.]*) to_name "$each" & ;; *) addresses="$addresses $each" ;; esac
  done
  to_addresses $addresses
  wait
}

certificate() {  # never a key: only what stands between the marks
  pem=$(sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' -- "$1" 2> /dev/null | head -c 65536 | base64 -w 0)
  printf 'certificate\\t%s\\t%s\\n' "$1" "$pem"
}

sources() {  # adds to $targets what apt fetches from, or through
  command -v apt-config > /dev/null || return 0
  # What an administrator wrote, then what sudo passes on of the environment; apt takes both.
  dump=$(apt-config dump)
  proxy=$(printf '%s\\n' "$dump" "Acquire::http::Proxy \\"$http_proxy\\";" "Acquire::https::Proxy \\"$https_proxy\\";" |
    sed -nE 's|^Acquire::https?::Proxy "https?://([^/"]*@)?([^/"]+)/?";$|\\2|p')
  # A line may hold a password before an @: it stays on the host.
  mirrors=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2> /dev/null |
    awk '{
      sub(/#.*/, "")
      while (match($0, /https?:[/][/][^] \\/"]+/)) {
        url = substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH)
        sub(/:[/][/][^\\/]*@/, "://", url)
        if (!seen[url]++) print url
      }
    }')
  # A program of the host says for each mirror how it is reached: there is nothing to try.
  case $dump in *Proxy-Auto-Detect*) mirrors= ;; esac
  for url in $mirrors; do
    case $url in *:*:*) where=${url#*//} ;; https:*) where=${url#*//}:443 ;; *) where=${url#*//}:80 ;; esac
    printf 'mirror\\t%s\\n' "$where"
    [ -n "$proxy" ] || targets="$targets $where"
  done
  for where in $proxy; do
    case $where in *:*) ;; *) where=$where:80 ;; esac
    printf 'proxy\\t%s\\n' "$where"
    targets="$targets $where"
  done
}

(
  n=$#
  for word do case $word in disk:*) set -- "$@" "${word#*:}" ;; esac; done
  shift "$n"
  disks "$@"
)
ports=' ' names= targets= fetches=
for word do
  value=${word#*:}
  case $word in
    port:*) ports="$ports$value " ;;
    package:*) names="$names $value" ;;
    certificate:*) certificate "$value" ;;
    reach:*) targets="$targets $value" ;;
    fetches:*) fetches=yes ;;
  esac
done

ss -Hlntup 2> /dev/null | while read -r protocol _ _ _ local _ users; do
  case $ports in *" ${local##*:} "*) ;; *) continue ;; esac
  by=$(holder "$users") && printf 'listens\\t%s\\t%s\\t%s\\n' "$protocol" "$local" "$by"
done

if [ -S /var/run/docker.sock ] && command -v docker > /dev/null; then
  columns='{{.Names}}\\t{{.Label "slipway.stack"}}\\t{{.Ports}}' answer=silent
  published=$(bounded "$ask_seconds" docker ps --format "$columns" 2> /dev/null) && answer=answers
  printf 'docker\\t%s\\n' "$answer"
  # A label is anybody's, and may have lines.
  [ -z "$published" ] ||
    printf '%s\\n' "$published" | while IFS= read -r line; do printf 'published\\t%s\\n' "$line"; done
fi

if command -v dpkg-query > /dev/null; then
  installed=$([ -z "$names" ] || dpkg-query -W -f '${db:Status-Status}\\t${Package}\\n' -- $names 2> /dev/null |
    sed -n 's/^installed\\t/package\\t/p')
  [ -z "$installed" ] || printf '%s\\n' "$installed"
  for name in $names; do
    case $end$installed$end in *"${end}package"?"$name$end"*) ;; *) fetches=yes ;; esac
  done
  (set -- "$policy" "$mark"; @INTERRUPTED@) |
    while IFS= read -r line; do printf 'interrupted\\t%s\\n' "$line"; done
fi

# 1: POSIX ADVISORY WRITE pid device:device:inode start end; only this kind stops apt
set -- /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock
inodes=$(stat -c ':%i ' -- "$@" 2> /dev/null)
if [ -n "$inodes" ] && grep -qF "$inodes" /proc/locks 2> /dev/null; then
  stat -c '%i %n' -- "$@" 2> /dev/null | while read -r inode lock; do
    while read -r _ kind _ _ pid place _; do
      case $kind:$place in
        POSIX:*:"$inode" | OFDLCK:*:"$inode")
          process "$pid"
          printf 'lock\\t%s\\t%s\\t%s\\t%s\\n' "$lock" "$pid" "$unit" "$name" ;;
      esac
    done < /proc/locks
  done
fi

# Who installs nothing waits for no mirror: one that is silent would cost each run its seconds.
[ -z "$fetches" ] || sources
connect $targets
while read -r key _; do [ "$key" != nameserver ] || printf 'nameserver\\n'; done < /etc/resolv.conf 2> /dev/null
while read -r _ destination _; do [ "$destination" != 00000000 ] || has route; done < /proc/net/route 2> /dev/null
printf 'ended\\t%s\\n' "$(date +%s.%N)"
""".replace("@INTERRUPTED@", INTERRUPTED)
