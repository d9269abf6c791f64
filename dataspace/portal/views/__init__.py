"""The pages. A view parses, fetches through selectors, calls one service, renders."""
