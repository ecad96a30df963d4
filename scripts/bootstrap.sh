# Shared by ./autotune and ./test: find what is missing, install it, build. Sourced by bash with
# `root` set to the source tree. Talks on stderr only, and never reads stdin.

build_dir=${TESSERA_BUILD_DIR:-$root/build/release}
[[ $build_dir == /* ]] || build_dir=$PWD/$build_dir

say() { printf 'tessera: %s\n' "$*" >&2; }
die() { local code=$1; shift; say "$@"; exit "$code"; }

# --- packages (cmake/packages.txt) ----------------------------------------------------------------

# A proof is a command on PATH, or files below a prefix of which one must exist.
is_present() {
  local proof=$1 prefix file
  [[ $proof == */* ]] || { command -v "$proof" >/dev/null; return; }
  local IFS=', :;'
  for prefix in /usr /usr/local ${CMAKE_PREFIX_PATH:-}; do
    for file in $proof; do [[ -e $prefix/$file ]] && return 0; done
  done
  return 1
}

# find_missing build|test: fills `missing` with packages and `missing_why` with a line about each.
find_missing() {
  local stage=$1 package proof needed_for purpose
  missing=() missing_why=()
  while IFS='|' read -r package proof needed_for purpose; do
    [[ $package == \#* || -z $package ]] && continue
    package=${package// /} proof=${proof// /} needed_for=${needed_for// /}
    [[ $needed_for == build || $needed_for == "$stage" ]] || continue
    is_present "$proof" && continue
    missing+=("$package")
    missing_why+=("$package:$purpose")
  done <"$root/cmake/packages.txt"
}

# install_missing build|test: installs, or ends with exit code 4 and what the user can do.
install_missing() {
  local stage=$1 as_root=()
  find_missing "$stage"
  ((${#missing[@]})) || return 0
  local command="apt-get install -y --no-install-recommends ${missing[*]}"

  if ! command -v apt-get >/dev/null; then
    say "this system has no apt-get; please install, under the names they have here:"
    printf '  %s\n' "${missing_why[@]}" >&2
    exit 4
  fi
  [[ $(id -u) == 0 ]] || as_root=(sudo -n)
  if [[ ${allow_install:-yes} == no ]]; then
    die 4 "missing: ${missing[*]}; install with: ${as_root:+sudo }$command"
  fi
  if ((${#as_root[@]})) && ! sudo -n true </dev/null >/dev/null 2>&1; then
    die 4 "missing: ${missing[*]}; install with: sudo $command"
  fi

  mkdir -p "$build_dir"
  say "installing ${missing[*]}"
  local log=$build_dir/install.log
  # A list of packages that is partly out of date may do: the installation decides.
  "${as_root[@]}" apt-get update </dev/null >"$log" 2>&1 || true
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $command </dev/null >>"$log" 2>&1; then
    tail -n 10 "$log" >&2
    die 4 "installation failed; try: $command"
  fi
  hash -r
  find_missing "$stage"
  ((${#missing[@]} == 0)) || die 4 "still missing after the installation: ${missing[*]}"
}

# --- NVRTC ----------------------------------------------------------------------------------------

has_nvrtc() {
  [[ -z ${TESSERA_NVRTC:-} && ! -e $build_dir/nvrtc ]] || return 0
  compgen -G '/usr/local/cuda*/lib*/libnvrtc.so*' >/dev/null && return 0
  { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q 'libnvrtc\.so\.1[2-9]' && return 0
  python3 -c 'import glob, sys
sys.exit(not any(glob.glob(p + "/nvidia/cu*/lib/libnvrtc.so*") for p in sys.path))' </dev/null
}

# The compiler of CUDA text, for the tests: where the machine has none, its wheel goes into the build
# folder, and test programs look there. Without it they skip what needs it and say so.
provide_nvrtc() {
  has_nvrtc && return 0
  local log=$build_dir/nvrtc.log
  if [[ ${allow_install:-yes} == no ]]; then
    say "no NVRTC: the tests that compile CUDA text are skipped; install it with: python3 -m pip install nvidia-cuda-nvrtc"
    return 0
  fi
  say "installing NVRTC into $build_dir/nvrtc"
  rm -rf "$build_dir/nvrtc.new"
  if python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-input \
       --target "$build_dir/nvrtc.new" 'nvidia-cuda-nvrtc>=13,<14' </dev/null >"$log" 2>&1; then
    mv "$build_dir/nvrtc.new" "$build_dir/nvrtc"
  else
    tail -n 3 "$log" >&2
    say "no NVRTC could be had: the tests that compile CUDA text are SKIPPED"
  fi
}

# --- build ----------------------------------------------------------------------------------------

# Is the stamp newer than every source of the tools? One pass of find over the folders of the build.
is_up_to_date() {
  local stamp=$1 line folder folders=()
  [[ -e $stamp ]] || return 1
  while read -r line; do
    [[ $line == layer\(* ]] || continue
    folder=${line#layer\(} folder=${folder%%[ )]*}
    [[ -d $root/$folder ]] && folders+=("$root/$folder")
  done <"$root/cmake/layers.cmake"
  [[ -d $root/tools ]] && folders+=("$root/tools")
  [[ -z $(find "${folders[@]}" "$root/cmake" "$root/CMakeLists.txt" "$root/CMakePresets.json" \
            "$root/scripts/bootstrap.sh" -newer "$stamp" -print -quit) ]]
}

# Copies the build's output to the log and shows how far it is: one line that is rewritten on a
# terminal, a line every tenth of the way elsewhere.
show_progress() {
  local line done_steps all shown=-1
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$1"
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    done_steps=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    if [[ -t 2 ]]; then
      printf '\rtessera: building %d/%d (%d s) ' "$done_steps" "$all" "$SECONDS" >&2
    elif ((done_steps * 10 / all > shown)); then
      shown=$((done_steps * 10 / all))
      ((all < 10)) || say "building $done_steps/$all ($SECONDS s)"
    fi
  done
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
}

# run_logged LOG command...: with progress; its exit code.
run_logged() {
  local log=$1; shift
  "$@" </dev/null 2>&1 | show_progress "$log"
  return "${PIPESTATUS[0]}"
}

build_failed() {
  tail -n 30 "$1" >&2
  die 1 "the build failed; the whole log is $1"
}

# bootstrap build|test TARGET STAMP: installs, configures and builds TARGET of the release preset,
# then touches STAMP. One process at a time; who waited finds the work done.
bootstrap() {
  local stage=$1 target=$2 stamp=$3 log=$build_dir/build.log
  mkdir -p "$build_dir" 2>/dev/null && [[ -w $build_dir ]] || die 1 "cannot write to $build_dir"
  exec {lock}>"$build_dir/.lock"
  if ! flock -n "$lock"; then
    say "waiting for another build in $build_dir"
    flock "$lock"
    if [[ $stage == build ]] && is_up_to_date "$stamp"; then exec {lock}>&-; return; fi
  fi

  install_missing "$stage"
  : >"$log"
  : >"$stamp.begun"  # what is edited while we build is newer than this
  SECONDS=0

  # A tree that was moved is configured anew; so is one asked for with --werror, which then stays,
  # because to drop it would be to compile everything again.
  local old_werror="" old_root="" fresh=()
  [[ ! -e $build_dir/.settings ]] || read -r old_werror old_root <"$build_dir/.settings"
  [[ $old_root == "$root" ]] || old_werror=""
  werror=${werror:-${old_werror:-OFF}}
  if [[ ! -e $build_dir/build.ninja || $old_werror != "$werror" ]]; then
    say "configuring and building in $build_dir"
    [[ ! -e $build_dir/CMakeCache.txt ]] || fresh=(--fresh)
    run_logged "$log" cmake --preset release -S "$root" -B "$build_dir" "${fresh[@]}" \
      -DTESSERA_WERROR="$werror" || build_failed "$log"
    printf '%s %s\n' "$werror" "$root" >"$build_dir/.settings"
  fi
  NINJA_STATUS='[%f/%t] ' run_logged "$log" \
    cmake --build "$build_dir" --target "$target" -j "$(nproc)" || build_failed "$log"

  mv "$stamp.begun" "$stamp"
  exec {lock}>&-
}
