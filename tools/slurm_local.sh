#!/usr/bin/env bash
# Starts a real Slurm of two nodes on this machine, as the user who runs it, all of it in one folder; or ends it:
#
#   tools/slurm_local.sh start FOLDER [NAME=VALUE...]     further lines of slurm.conf
#   export SLURM_CONF=FOLDER/slurm.conf
#   tools/slurm_local.sh stop FOLDER
#
# To try utils/slurm.sh without a cluster. Needs munge and slurm-wlm (Debian: apt-get install slurm-wlm munge), whose
# own services it does not touch. Nodes have four CPUs, 64 GB and two GPUs each, whatever the machine has.
set -euo pipefail
PATH=${PATH}:/usr/sbin:/sbin

usage() {
    echo "usage: $0 start|stop FOLDER [NAME=VALUE...]" >&2
    exit 1
}
[ $# -ge 2 ] || usage
action=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd -P)
lines=("${@:3}")
export SLURM_CONF=${folder}/slurm.conf

# until_true SECONDS COMMAND...
until_true() {
    local end=$((SECONDS + $1))
    until "${@:2}" >/dev/null 2>&1; do
        [ "${SECONDS}" -lt "${end}" ] || return 1
        sleep 0.1
    done
}
# Daemons by their files of numbers: slurmd writes none any more once its node is gone.
running() {
    local file pid
    for file in "${folder}"/*.pid; do
        [ -f "${file}" ] && read -r pid <"${file}" && kill -0 "${pid}" 2>/dev/null && return 0
    done
    return 1
}
end_all() {
    local file pid pids=()
    for file in "$@"; do
        [ ! -f "${file}" ] || { read -r pid <"${file}" && pids+=("${pid}"); }
    done
    for pid in ${pids[@]+"${pids[@]}"}; do kill "${pid}" 2>/dev/null || true; done
    for pid in ${pids[@]+"${pids[@]}"}; do
        until_true 10 is_gone "${pid}" || kill -KILL "${pid}" 2>/dev/null || true
    done
}
stop() {
    scancel --me 2>/dev/null && until_true 5 none_runs || true
    # Nodes before their controller, and munge, by which all of them talk, last.
    end_all "${folder}"/slurmd.*.pid
    end_all "${folder}"/slurmctld.pid
    end_all "${folder}"/munge.pid
    rm -f "${folder}"/*.pid
}
is_gone() { ! kill -0 "$1" 2>/dev/null; }
none_runs() { [ -z "$(squeue -h --me)" ]; }
are_idle() { [ "$(sinfo -h -N -o %T | sort -u)" = idle ]; }
free_ports() {
    local port
    ports=()
    while [ "${#ports[@]}" -lt "$1" ]; do
        port=$((20000 + RANDOM % 12000))
        (: <"/dev/tcp/127.0.0.1/${port}") 2>/dev/null || ports+=("${port}")
    done
}

case ${action} in
stop)
    stop
    exit 0
    ;;
start) ;;
*) usage ;;
esac

for program in munged slurmctld slurmd sinfo; do
    command -v "${program}" >/dev/null || {
        echo "$0: ${program} is not here: install munge and slurm-wlm" >&2
        exit 1
    }
done
! running || {
    echo "$0: it runs already in ${folder}" >&2
    exit 1
}
chmod go-w "${folder}"
trap 'stop; echo "$0: did not start; see the logs in ${folder}" >&2' ERR
trap 'stop; exit 130' INT TERM
if [ ! -f "${folder}/munge.key" ]; then
    (umask 077 && head -c 1024 /dev/urandom >"${folder}/munge.key")
fi
# Folders may be those of everybody, such as /tmp: munge wants to be told so.
munged --force --key-file="${folder}/munge.key" --socket="${folder}/munge.socket" --pid-file="${folder}/munge.pid" \
    --log-file="${folder}/munge.log" --seed-file="${folder}/munge.seed"
free_ports 3
user=$(id -un)
host=$(uname -n)
cat >"${SLURM_CONF}" <<END
ClusterName=local
SlurmctldHost=${host}(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=${user}
SlurmdUser=${user}
AuthType=auth/munge
AuthInfo=socket=${folder}/munge.socket
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool.%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.%n.pid
SlurmctldLogFile=${folder}/slurmctld.log
SlurmdLogFile=${folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
KillWait=3
MpiDefault=none
ReturnToService=2
GresTypes=gpu
NodeName=node1 NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=4 RealMemory=64000 Gres=gpu:2
NodeName=node2 NodeHostname=${host} NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=4 RealMemory=64000 Gres=gpu:2
PartitionName=all Nodes=node1,node2 Default=YES MaxTime=INFINITE State=UP
END
printf '%s\n' ${lines[@]+"${lines[@]}"} >>"${SLURM_CONF}"
# Any device file will do, since nothing looks into it.
printf 'NodeName=node[1-2] Name=gpu File=%s\n' /dev/null /dev/zero >"${folder}/gres.conf"
mkdir -p "${folder}/state"
slurmctld -c -i
slurmd -N node1
slurmd -N node2
until_true 20 are_idle
echo "Slurm runs in ${folder}: export SLURM_CONF=${SLURM_CONF}"
