#!/bin/bash
# A Slurm of its own on one machine, without containers: four "hosts", each with its own network, host name, process
# table, /tmp and shared memory; one folder shared by all. As root, on Debian:
#   apt-get update && apt-get install -y --no-install-recommends slurm-wlm munge iproute2 [bindfs] [nftables]
#
#   sandbox.sh start                  model (10.77.0.1, also the switch), login (10.77.0.10), node1 (.11), node2 (.12)
#   sandbox.sh on HOST COMMAND...     runs a command on a host (login: srun, sbatch, squeue work there)
#   sandbox.sh kill HOST              power cut of a node: every process of it dies at once
#   sandbox.sh boot HOST              the node comes back
#   sandbox.sh unplug HOST | plug HOST   the network cable
#   sandbox.sh wall HOST | unwall HOST   compute nodes cannot open connections to HOST (a site firewall), apart from
#                                     Slurm's own ports
#   sandbox.sh stop                   ends exactly what it started
#
# SANDBOX: its state (default /tmp/slurm-sandbox); SHARED: the folder that all hosts share, mounted at the same path on
# all (default $SANDBOX/shared); ALSO: more folders that all hosts see, one a line: needed for what lies below /tmp or
# /run, as all else of the machine's files is seen anyway; NODES (2); CPUS per node as Slurm counts them (4);
# FS=bind (one file system, flock holds everywhere) or FS=bindfs (each host mounts it through FUSE on its own: flock
# holds on the own host only, attributes and directory entries are cached for a second, as NFS with local_lock=all does).
set -euo pipefail
SANDBOX=${SANDBOX:-/tmp/slurm-sandbox}; SHARED=${SHARED:-$SANDBOX/shared}; ALSO=${ALSO:-}; NODES=${NODES:-2}; CPUS=${CPUS:-4}; FS=${FS:-bind}
unset ${!SLURM_@}
HOSTS="login $(seq -f 'node%g' "$NODES")"

address() { case $1 in model) echo 10.77.0.1;; login) echo 10.77.0.10;; node*) echo 10.77.0.$((10 + ${1#node}));; esac; }
init_of() { cat "$SANDBOX/hosts/$1.pid"; }
is_up() { [ -e "$SANDBOX/hosts/$1.pid" ] && kill -0 "$(init_of "$1")" 2>/dev/null; }
on() {  # The folder is entered on the host: opened before, it would be that of this machine's own mount.
  local host=$1; shift
  nsenter -t "$(init_of "$host")" -n -u -m -p -i -- sh -c 'cd "$0" && exec "$@"' "${WD:-$PWD}" "$@"
}

bring_up() {  # the host's first process; its death is the host's
  local host=$1
  setsid unshare --net --uts --mount --pid --ipc --fork --kill-child --mount-proc bash -c '
    set -e; SANDBOX=$1; SHARED=$2; FS=$3; host=$4; NAMES=$5; mapfile -t also < <(printf %s "$6")
    hostname "$host"; ip link set lo up
    mount --make-rprivate /
    # Aside, then back: /run and /tmp are private, but for these folders.
    mount -t tmpfs tmpfs /run; mkdir -p /run/aside /run/aside2 /run/munge; mount --bind "$SANDBOX" /run/aside; mount --bind "$SHARED" /run/aside2
    for i in "${!also[@]}"; do mkdir "/run/also$i"; mount --bind "${also[i]}" "/run/also$i"; done
    mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /dev/shm
    for i in "${!also[@]}"; do mkdir -p "${also[i]}"; mount --bind "/run/also$i" "${also[i]}"; done
    mkdir -p "$SANDBOX"; mount --bind /run/aside "$SANDBOX"; mkdir -p "$SHARED"
    if [ "$FS" = bindfs ]; then bindfs /run/aside2 "$SHARED"; else mount --bind /run/aside2 "$SHARED"; fi
    mount --bind "$NAMES" /etc/hosts; mkdir -p /etc/slurm; mount --bind "$SANDBOX/etc" /etc/slurm
    echo up > "$SANDBOX/hosts/$host.up"
    trap "exit 0" TERM; while :; do sleep 1000 & wait $!; done
  ' "host-$host" "$SANDBOX" "$SHARED" "$FS" "$host" "$SANDBOX/hosts.txt" "$ALSO" </dev/null >"$SANDBOX/log/$host.init" 2>&1 &
  local outer=$!
  for _ in $(seq 100); do [ -e "$SANDBOX/hosts/$host.up" ] && break; sleep 0.05; done
  rm "$SANDBOX/hosts/$host.up"
  pgrep -P "$outer" > "$SANDBOX/hosts/$host.pid"; echo "$outer" > "$SANDBOX/hosts/$host.outer"
}
cable() {
  local host=$1 switch; switch=$(init_of model)
  nsenter -t "$switch" -n ip link del "to-$host" 2>/dev/null || true
  nsenter -t "$switch" -n ip link add "to-$host" type veth peer name eth0 netns "$(init_of "$host")"
  nsenter -t "$switch" -n ip link set "to-$host" master switch up
  on "$host" ip address add "$(address "$host")/24" dev eth0; on "$host" ip link set eth0 up
}
daemon() {  # name, host, command: started in the host, its pid (as seen from outside) kept
  local name=$1 host=$2; shift 2
  WD=/ on "$host" setsid "$@" </dev/null >"$SANDBOX/log/$name.out" 2>&1 &
}
boot() {
  local host=$1
  bring_up "$host"; cable "$host"
  daemon "munged-$host" "$host" munged --foreground --force --key-file="$SANDBOX/munge/key" --socket=/run/munge/munge.socket.2 \
    --pid-file="$SANDBOX/munge/$host.pid" --log-file="$SANDBOX/log/munged-$host.log" --seed-file="$SANDBOX/munge/$host.seed"
  for _ in $(seq 100); do on "$host" munge -n >/dev/null 2>&1 && break; sleep 0.05; done
  case $host in
    login) daemon slurmctld login slurmctld -D;;
    node*) mkdir -p "$SANDBOX/spool/$host"; daemon "slurmd-$host" "$host" slurmd -D -N "$host";;
  esac
}
end() { local host=$1; is_up "$host" && kill -9 "$(init_of "$host")" || true; rm -f "$SANDBOX/hosts/$host.pid" "$SANDBOX/hosts/$host.outer"; }

start() {
  mkdir -p "$SANDBOX"/{hosts,log,munge,spool,state,etc} "$SHARED"
  for host in model $HOSTS; do is_up "$host" && { echo "already up: $SANDBOX" >&2; exit 1; }; done
  rm -rf "$SANDBOX"/{hosts,log,munge,spool,state,etc}/*; chmod 700 "$SANDBOX/munge"
  { echo "127.0.0.1 localhost"; for host in model $HOSTS; do echo "$(address "$host") $host"; done; } > "$SANDBOX/hosts.txt"
  dd if=/dev/urandom of="$SANDBOX/munge/key" bs=1024 count=1 status=none; chmod 400 "$SANDBOX/munge/key"
  cat > "$SANDBOX/etc/slurm.conf" <<CONF
ClusterName=sandbox
SlurmctldHost=login($(address login))
SlurmUser=root
AuthType=auth/munge
# A job that is requeued waits that long; two minutes without this line.
AuthInfo=cred_expire=5
CryptoType=crypto/munge
StateSaveLocation=$SANDBOX/state
SlurmdSpoolDir=$SANDBOX/spool/%n
SlurmctldPidFile=$SANDBOX/log/slurmctld.pid
SlurmdPidFile=$SANDBOX/log/slurmd-%n.pid
SlurmctldLogFile=$SANDBOX/log/slurmctld.log
SlurmdLogFile=$SANDBOX/log/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=5
KillWait=5
MinJobAge=300
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PropagateResourceLimits=NONE
$(for n in $(seq "$NODES"); do echo "NodeName=node$n NodeAddr=$(address node$n) CPUs=$CPUS RealMemory=8000 State=UNKNOWN"; done)
PartitionName=work Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP OverSubscribe=NO PriorityTier=10
CONF
  bring_up model; on model ip link add switch type bridge; on model ip link set switch up
  on model ip address add "$(address model)/24" dev switch
  for host in $HOSTS; do boot "$host"; done
  for _ in $(seq 200); do [ "$(on login sinfo -h -N -p work -t idle -o %N 2>/dev/null | sort -u | wc -l)" = "$NODES" ] && { on login sinfo; return; }; sleep 0.1; done
  echo "not all nodes came up; see $SANDBOX/log" >&2; on login sinfo >&2 || true; exit 1
}

what=${1:-}; shift || true
case $what in
  start) start;;
  on) on "$@";;
  kill) end "$1";;
  boot) boot "$1";;
  unplug) nsenter -t "$(init_of model)" -n ip link set "to-$1" down;;
  plug) nsenter -t "$(init_of model)" -n ip link set "to-$1" up;;
  wall) on "$1" nft -f - <<RULES
table inet wall {
  chain input {
    type filter hook input priority 0; policy accept;
    ip saddr { $(for n in $(seq "$NODES"); do address "node$n"; done | paste -sd,) } ct state new tcp dport != 6817 drop
  }
}
RULES
  ;;
  unwall) on "$1" nft delete table inet wall;;
  stop) for host in $HOSTS model; do end "$host"; done;;
  *) sed -n '2,/^set -e/p' "$0" | sed '$d'; exit 2;;
esac
