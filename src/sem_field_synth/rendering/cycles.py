"""Renders frames with Blender's Cycles in a process of its own.

`python -m sem_field_synth.rendering.cycles JOB`: JOB is a folder made by cycles_job.py: scene.npz (triangles) and
job.json (materials, lamps, sky, camera, frames). For every frame NAME requested on standard input (one per line, with
its pose) it writes JOB/NAME.npy, linear RGB [H, W, 3] float16 in W/(m^2 sr), and answers `done NAME SECONDS`. photo.py
turns the images into photographs.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from pathlib import Path
from typing import Any, TextIO

import numpy as np

_MIN_ROUGHNESS = 0.12
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])  # Blender's cameras look along -z with y up


def main(folder: Path) -> int:
    """Answer requests until standard input ends."""
    answers = _own_stdout()
    import bpy
    from mathutils import Matrix

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    scene = _empty_scene(bpy, job)
    with np.load(folder / "scene.npz") as arrays:
        _add_mesh(bpy, scene, {name: arrays[name] for name in arrays.files}, job["finishes"])
    _add_lamps(bpy, scene, job["lamps"])
    camera = _add_camera(bpy, scene, job["camera"])
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        pose = np.array(request["T_world_camera"]).reshape(4, 4) @ _FLIP
        camera.matrix_world = Matrix(pose.tolist())
        scene.cycles.seed = (job["seed"] + zlib.crc32(request["name"].encode())) & 0x7FFFFFFF
        _render(bpy, scene, folder, request["name"])
        print(f"done {request['name']} {time.perf_counter() - started:.3f}", file=answers, flush=True)
    return 0


def _own_stdout() -> TextIO:
    """Blender prints to descriptor 1: keep a copy of it for the answers and send Blender's output to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _empty_scene(bpy: Any, job: dict[str, Any]) -> Any:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = job["camera"]["width"], job["camera"]["height"]
    render.resolution_percentage = 100
    render.use_persistent_data = True
    render.image_settings.file_format = "OPEN_EXR"
    render.image_settings.color_depth = "16"
    render.image_settings.exr_codec = "NONE"
    render.threads_mode, render.threads = "FIXED", job["threads"]
    render.use_compositing = render.use_sequencer = False
    cycles.device = "CPU"
    cycles.samples = job["samples"]
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    cycles.denoising_prefilter = "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 2, 8
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 8.0
    cycles.blur_glossy = 1.0
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    color, strength = job["sky"]
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*_linear(color), 1.0)
    background.inputs["Strength"].default_value = strength
    scene.world = world
    return scene


def _add_mesh(bpy: Any, scene: Any, arrays: dict[str, np.ndarray], finishes: list[dict[str, Any]]) -> None:
    corners = arrays["corners"].reshape(-1, 3)
    vertices, index = np.unique(corners, axis=0, return_inverse=True)
    count = len(index) // 3
    mesh = bpy.data.meshes.new("home")
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).reshape(-1))
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", index.astype(np.int32).reshape(-1))
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", arrays["finish"].astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(count, dtype=bool))
    uv = mesh.uv_layers.new(name="uv")
    uv.data.foreach_set("uv", arrays["uv"].astype(np.float32).reshape(-1))
    mesh.update()
    # not as a "custom_normal" attribute of plain vectors: Cycles 5.0 shades those wrongly
    mesh.normals_split_custom_set(arrays["normals"].reshape(-1, 3))
    for finish in finishes:
        mesh.materials.append(_material(bpy, finish))
    scene.collection.objects.link(bpy.data.objects.new("home", mesh))


def _material(bpy: Any, finish: dict[str, Any]) -> Any:
    material = bpy.data.materials.new("finish")
    material.use_nodes = True
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*_linear(finish["color"]), 1.0)
    shader.inputs["Roughness"].default_value = max(1.0 - finish["shininess"], _MIN_ROUGHNESS)
    shader.inputs["Alpha"].default_value = finish["opacity"]
    if finish["emission"] > 0:
        shader.inputs["Emission Color"].default_value = (*_linear(finish["color"]), 1.0)
        shader.inputs["Emission Strength"].default_value = finish["emission"]
    if finish["texture"]:
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image = bpy.data.images.load(finish["texture"], check_existing=True)
        tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
        if finish["emission"] > 0:
            tree.links.new(texture.outputs["Color"], shader.inputs["Emission Color"])
        if finish["cutout"]:
            tree.links.new(texture.outputs["Alpha"], shader.inputs["Alpha"])
    return material


def _add_lamps(bpy: Any, scene: Any, lamps: list[dict[str, Any]]) -> None:
    from mathutils import Vector

    for lamp in lamps:
        light = bpy.data.lights.new("lamp", lamp["kind"].upper())
        light.energy = lamp["power"]
        light.color = _linear(lamp["color"])
        place = bpy.data.objects.new("lamp", light)
        if lamp["kind"] == "sun":
            light.angle = 0.02
            place.rotation_euler = Vector(lamp["position"]).to_track_quat("Z", "Y").to_euler()
        else:
            place.location = lamp["position"]
            if lamp["kind"] == "area":
                light.size = lamp["size_m"]
            else:
                light.shadow_soft_size = lamp["size_m"]
        place.visible_camera = False
        scene.collection.objects.link(place)


def _add_camera(bpy: Any, scene: Any, camera: dict[str, float]) -> Any:
    """Blender's camera with a pinhole's intrinsics; pixel centres are whole numbers here, halves in Blender."""
    width, height = camera["width"], camera["height"]
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = 36.0
    data.lens = camera["fx"] * 36.0 / width
    scene.render.pixel_aspect_x = max(1.0, camera["fy"] / camera["fx"])
    scene.render.pixel_aspect_y = max(1.0, camera["fx"] / camera["fy"])
    data.shift_x = (width / 2 - (camera["cx"] + 0.5)) / width
    data.shift_y = ((camera["cy"] + 0.5) - height / 2) / width * camera["fx"] / camera["fy"]
    data.clip_start, data.clip_end = 0.01, 200.0
    eye = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(eye)
    scene.camera = eye
    return eye


def _render(bpy: Any, scene: Any, folder: Path, name: str) -> None:
    exr = folder / f"{name}.exr"
    scene.render.filepath = str(exr)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(exr))
    width, height = image.size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    exr.unlink()
    rgb = pixels.reshape(height, width, 4)[::-1, :, :3]  # Blender's first row is the lowest
    part = folder / f"{name}.part"
    with part.open("wb") as file:
        np.save(file, rgb.clip(0, 6e4).astype(np.float16))
    part.replace(folder / f"{name}.npy")


def _linear(color: list[float]) -> tuple[float, ...]:
    """sRGB 0..1 to linear."""
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
