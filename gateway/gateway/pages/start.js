// Starts Swagger UI; a file of its own, because the page's policy allows no script inside the page.

// Descriptions are text: services of the operator write some of them, and Markdown may hold HTML, images and links.
const asText = ({React}) => ({
  wrapComponents: {
    Markdown: () => ({source, className = ""}) => React.createElement("div", {className: `markdown ${className}`},
      ...String(source ?? "").split(/\n\s*\n/).map(paragraph => React.createElement("p", null,
        ...paragraph.split("`").map((part, number) => number % 2 ? React.createElement("code", null, part) : part)))),
  },
});

// A browser resolves `..` in an address, so a parameter could lead to another operation. Encoded twice, it stays a name.
const keepDots = request => {
  request.url = request.url.replace(/\/(\.|%2e){1,2}(?=[/?#]|$)/gi, dots => dots.replace(/\.|%2e/gi, "%252e"));
  return request;
};

SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [asText],
  requestInterceptor: keepDots,
});
