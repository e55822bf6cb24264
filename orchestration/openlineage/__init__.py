"""OpenLineage events of a run: into its folder, and to a consumer where one is named."""
