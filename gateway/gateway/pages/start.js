// Starts Swagger UI; a file of its own, because the page's policy allows no script inside the page.

// Descriptions are text: services of the operator write some of them, and Markdown may hold HTML, images and links.
const asText = ({React}) => ({
  wrapComponents: {
    Markdown: () => ({source, className = ""}) => React.createElement("div", {className: `markdown ${className}`},
      ...String(source ?? "").split(/\n\s*\n/).map(paragraph => React.createElement("p", null,
        ...paragraph.split("`").map((part, number) => number % 2 ? React.createElement("code", null, part) : part)))),
  },
});

// A browser resolves `..` in an address: an operation's parameter could lead to another operation.
const refuseDots = request => {
  if (/\/(\.|%2e){1,2}([/?#]|$)/i.test(request.url)) throw new Error("A path must not hold . or .. as a segment.");
  return request;
};

SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [asText],
  requestInterceptor: refuseDots,
});
