"""The lab network: bridges, addresses, published ports and a name service, in a namespace of the store's own."""
