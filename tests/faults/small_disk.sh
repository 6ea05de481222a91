# Puts what Slipway manages on a disk of its own that a test may fill: `make MEGABYTES`, `fill`, `clear`, `gone`.
# A filesystem in memory, since a lab host has no other device; full is full there too, to the last page and inode.
set -eu
disk=/run/small-disk
trees="/etc /usr/local /var/lib/slipway /var/lib/slipway-edge /var/lib/postgresql /var/lib/redis /home"
# What no server has open for writing, so that it can be made read-only under them.
configuration="/etc /usr/local /home"
servers="nginx redis-server postgresql@17-main"
case $1 in
  make)
    mkdir "$disk"
    systemctl stop $servers
    used=$(du -smc $trees | tail -n 1 | cut -f1)
    mount -t tmpfs -o "mode=755,size=$((used + $2))m" small-disk "$disk"
    for tree in $trees; do
      mkdir -p "$disk$tree"
      cp -a "$tree/." "$disk$tree/"
      mount --bind "$disk$tree" "$tree"
    done
    systemctl daemon-reload
    systemctl start $servers
    ;;
  fill)
    # Whole megabytes first, then what is left page by page.
    for size in 1M 4k; do dd if=/dev/zero of="$disk/filler.$size" bs="$size" status=none 2>/dev/null || true; done
    [ "$(df --output=avail -B 4k "$disk" | tail -n 1 | tr -d ' ')" = 0 ]
    ;;
  clear) rm -f "$disk"/filler.* ;;
  read-only) for tree in $configuration; do mount -o remount,bind,ro "$tree"; done ;;
  writable) for tree in $configuration; do mount -o remount,bind,rw "$tree"; done ;;
  gone)
    systemctl stop $servers
    for tree in $trees; do
      # What came to lie on the small disk is what the host has from now on.
      mount --bind / /mnt
      # Docker's own mounts of single files, as /etc/hosts, stay.
      find "/mnt$tree" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} + 2>/dev/null || true
      cp -a "$disk$tree/." "/mnt$tree/"
      umount /mnt
    done
    for tree in $trees; do umount -l "$tree"; done
    umount -l "$disk"; rmdir "$disk"
    systemctl daemon-reload
    systemctl start $servers
    ;;
esac
