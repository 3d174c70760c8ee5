// Search on pages opened from a folder: browsers start no Worker from file://, so its script runs in a hidden frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      const scope = frame.contentWindow
      const load = source => new Promise((resolve, reject) => {
        const script = scope.document.createElement("script")
        script.src = new URL(source, document.baseURI)
        script.onload = resolve
        script.onerror = reject
        scope.document.head.append(script)
      })
      scope.importScripts = (...sources) => Promise.all(sources.map(load))
      scope.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      this.scope = load(url).then(() => scope)
    }
    postMessage(data) {
      this.scope.then(scope => scope.dispatchEvent(new scope.MessageEvent("message", { data })))
    }
  }
}
