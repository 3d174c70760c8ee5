# Source this in bash or zsh, from any folder: the virtual environment, ROS 2, the interfaces, the DDS profile and
# `sem-field` on the path. VENV= chooses another virtual environment than the repository's .venv.
# Written for shells with and without `set -u`; leaves the shell's options as they are.

_sf_file="${BASH_SOURCE[0]:-}"
[ -n "$_sf_file" ] || eval '_sf_file="${(%):-%x}"'  # zsh
_sf_root="$(cd "$(dirname "$_sf_file")/.." >/dev/null && pwd -P)"
_sf_venv="${VENV:-$_sf_root/.venv}"
case "$_sf_venv" in /*) ;; *) _sf_venv="$PWD/$_sf_venv" ;; esac

_sf_prepend() {  # NAME FOLDER: put FOLDER first in the path variable NAME, once
  eval "_sf_old=\":\${$1:-}:\""
  while :; do
    case "$_sf_old" in *":$2:"*) _sf_old="${_sf_old%%":$2:"*}:${_sf_old#*":$2:"}" ;; *) break ;; esac
  done
  _sf_old="${_sf_old#:}"
  _sf_old="${_sf_old%:}"
  export "$1=$2${_sf_old:+:$_sf_old}"
}

if [ -r "$_sf_venv/.sem_field/pythonpath" ]; then
  _sf_ros="$(cat "$_sf_venv/.sem_field/ros")"  # the setup file of the installed ROS 2, or "wheels"
  unset PYTHONHOME
  if [ "$_sf_ros" = wheels ]; then
    # A foreign PYTHONPATH or middleware choice would break the wheels; their bootstrap must run in this environment.
    unset PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
    export RMW_IMPLEMENTATION=rmw_fastrtps_cpp
    _sf_prepend AMENT_PREFIX_PATH "$_sf_venv"
    _sf_prepend CMAKE_PREFIX_PATH "$_sf_venv"
    _sf_prepend LD_LIBRARY_PATH "$_sf_venv/lib"
  else
    case $- in *u*) _sf_u=1; set +u ;; *) _sf_u= ;; esac  # ROS setup files read unset variables
    . "$_sf_ros"
    [ -z "$_sf_u" ] || set -u
  fi
  _sf_prepend PATH "$_sf_venv/bin"
  _sf_prepend PYTHONPATH "$_sf_root/src"  # for `ros2 launch`, which an installed ROS runs with the system's Python
  _sf_prepend PYTHONPATH "$(cat "$_sf_venv/.sem_field/pythonpath")"
  _sf_prepend AMENT_PREFIX_PATH "$_sf_venv/ros"
  _sf_prepend CMAKE_PREFIX_PATH "$_sf_venv/ros"
  _sf_prepend LD_LIBRARY_PATH "$_sf_venv/ros/lib"
  export VIRTUAL_ENV="$_sf_venv"
  if [ -z "${FASTDDS_DEFAULT_PROFILES_FILE:-}" ]; then
    # containers often have 64 MB of shared memory, less than the default profile needs for two nodes
    _sf_shm="$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $2 }')"
    if [ "${_sf_shm:-0}" -ge 400000 ]; then _sf_shm=fastdds.xml; else _sf_shm=fastdds_small_shm.xml; fi
    export FASTDDS_DEFAULT_PROFILES_FILE="$_sf_root/config/dds/$_sf_shm"
  fi
  case "${ROS_DISTRO:-}" in  # the variable's name before Kilted, which warns when it is set
    humble | jazzy) export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$FASTDDS_DEFAULT_PROFILES_FILE}" ;;
  esac
  unset _sf_file _sf_root _sf_venv _sf_ros _sf_u _sf_old _sf_shm
  unset -f _sf_prepend
else
  echo "sem_field_ros: no environment in $_sf_venv yet: run 'make setup' in $_sf_root first" >&2
  unset _sf_file _sf_root _sf_venv _sf_old
  unset -f _sf_prepend
  false
fi
