#!/usr/bin/env bash
# Process 1 of the node: prepares mounts and network, starts every component, then waits (bash reaps
# orphans). When it ends, the kernel ends the rest: processes, mounts, interfaces, firewall rules.
# It runs in mount, process and network namespaces of its own; native.py starts it and gives it its variables.
set -euo pipefail
: "${STATE:?}" "${STORE:?}" "${BIN:?}" "${ARCHIVES:?}" "${NAME:?}" "${HOST_IP:?}" "${NODE_IP:?}" "${SERVICES:?}"
export PATH=$BIN:/usr/sbin:/usr/bin:/sbin:/bin
PKI=$STATE/pki ETC=$STATE/etc

# ---- mounts: the fixed paths of kubelet, containerd and CNI, off the host ---------------------------
mount --make-rshared /                       # the kubelet's volume mounts must propagate
mount --bind "$STATE/var-lib" /var/lib       # on disk: overlay needs a real file system
mount --bind "$STATE/var-log" /var/log
mount -t tmpfs tmpfs /run                    # the shims' sockets, netns files, xtables.lock
mkdir -p /run/lock
# The kubelet sets these for the whole kernel unless they have these values already.
# It finds them set, and the kernel keeps its own.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$ETC/sysctl-${setting//\//.}
    echo "${setting#*=}" > "$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
done

# ---- network ----------------------------------------------------------------------------------------
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip addr add "$NODE_IP/30" dev eth0
ip link set eth0 up
ip route add default via "$HOST_IP"
echo 1 > /proc/sys/net/ipv4/ip_forward
# Pods of one bridge reach each other through a Service only so; the file is there where the module is.
[ ! -e /proc/sys/net/bridge ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables

start() {  # name command...
    local name=$1
    shift
    "$@" > "$STATE/logs/$name.log" 2>&1 &
}

# ---- control plane ----------------------------------------------------------------------------------
# etcd: plain http, as nothing outside this network namespace reaches its loopback;
# a tmpfs and no fsync, as nothing of it shall outlive the node.
mkdir -p /run/etcd
start etcd etcd --data-dir /run/etcd/data --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380

start kube-apiserver kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 \
    --advertise-address="$NODE_IP" --secure-port=6443 \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --client-ca-file="$PKI/ca.crt" \
    --kubelet-client-certificate="$PKI/admin.crt" --kubelet-client-key="$PKI/admin.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --service-cluster-ip-range="$SERVICES" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --allow-privileged=true

# ---- container runtime and images, while the API server starts --------------------------------------
# The store outlives the node. First a containerd without its CRI plugin removes what a former node left
# there, imports new images and drops those that are no longer wanted; then the real one starts, clean.
client() { ctr --address "$STATE/run/containerd.sock" --namespace k8s.io "$@"; }
mkdir -p /var/lib/containerd
mount --bind "$STORE" /var/lib/containerd
rm -rf /var/lib/containerd/io.containerd.{grpc.v1.cri,runtime.v2.task}
import_images() {
    local containerd archive part stamp
    containerd --config "$ETC/containerd-import.toml" & containerd=$!
    until client version >/dev/null 2>&1; do sleep 0.05; done
    client containers ls -q | xargs -r ctr --address "$STATE/run/containerd.sock" --namespace k8s.io containers rm
    for archive in $ARCHIVES; do        # what the store has of it already is not in the part
        stamp=$STORE/imported/${archive##*/}
        [ ! -e "$stamp" ] || continue
        part=$STATE/import/${archive##*/}
        { [ -e "$part" ] && client images import "$part"; } || client images import "$archive"
        touch "$stamp"
    done
    for stamp in "$STORE"/imported/*; do
        case " $ARCHIVES " in *"/${stamp##*/} "*) continue ;; esac
        stamp=${stamp##*/}              # name-digest.tar
        client images rm "localhost/${stamp%-*}:$(basename "${stamp##*-}" .tar)"
        rm "$STORE/imported/$stamp"
    done
    kill $containerd
    wait $containerd || true
}
( set -e; import_images ) > "$STATE/logs/images.log" 2>&1 &
wait $! || { echo "importing images failed:"; tail -5 "$STATE/logs/images.log"; exit 1; }
start containerd containerd --config "$ETC/containerd.toml"
until client version >/dev/null 2>&1; do sleep 0.05; done     # the kubelet needs it at its start

until [ -e "$STATE/run/api-ready" ]; do sleep 0.05; done      # written by native.py

# node-monitor-period: a Ready node may keep its not-ready taint until the next tick (default 5s).
# qps: at the default 20, fetching the tokens of all controllers alone takes it 4 s.
# flex-volume-plugin-dir: by default it makes one under /usr/libexec of the host.
start kube-controller-manager kube-controller-manager \
    --kubeconfig="$PKI/kcm.conf" --leader-elect=false --bind-address=127.0.0.1 \
    --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" \
    --use-service-account-credentials=true --allocate-node-cidrs=false \
    --kube-api-qps=500 --kube-api-burst=1000 --node-monitor-period=1s \
    --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins
start kube-scheduler kube-scheduler --kubeconfig="$PKI/scheduler.conf" --leader-elect=false --bind-address=127.0.0.1
start kubelet kubelet --config="$ETC/kubelet.yaml" --kubeconfig="$PKI/kubelet.conf" \
    --hostname-override="$NAME" --node-ip="$NODE_IP"
start kube-proxy kube-proxy --config="$ETC/kube-proxy.yaml"
start coredns coredns -conf "$ETC/Corefile"

# Nothing is restarted: a test may end a component on purpose.
while true; do
    sleep 3600 &
    wait $! || true
done
