"""What readers keep: favourites, follows and notices."""
