# Both commands of the README in a container; ROS 2 comes as wheels.
#   docker build -t sem_field_ros .
#   docker run --rm -v "$PWD/out:/sem_field_ros/out" sem_field_ros    # make demo: the map is in out/demo
#   docker run --rm sem_field_ros make test
FROM debian:12-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git make \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /sem_field_ros
COPY . .

# GPU=1 for torch with CUDA, TORCH_INDEX=URL for another source of torch: docker build --build-arg GPU=1 ...
ARG GPU=
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1
RUN make setup-dev && rm -rf /var/lib/apt/lists/*

CMD ["make", "demo"]
